"""The log's own entries as a table, which replay reads as an archive."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from croupier.config.archive import ENTRIES, read_archived
from croupier.core.columns import Column
from croupier.ports import TOPICS, Entry, EventLog, UnusableError, entries_between
from croupier.runners.export.days import Files, Sheet, Span
from croupier.runners.export.log_days import LogDay, days_of

_ENTRIES = 32
ENTRIES_SHEET = Sheet(
    ENTRIES,
    (
        Column("topic", "text", "topic of the log; the name of the file"),
        Column("partition", "whole", "partition of the topic; a data file has one, 0"),
        Column("offset", "whole", "place in the partition; without gaps, given once for ever"),
        Column("stamp", "time", "when the log took it; the day of the file"),
        Column("payload", "bytes", "records as the log stores them, encoded together"),
    ),
)


def export_entries(log: EventLog, span: Span, files: Files) -> None:
    """Every topic of a data file's log; nothing that an older file of a day holds is taken away.

    Raises UnusableError where such a file is damaged, is not of this log, or ends before what the
    log still holds: it stays as it is, and all others are written first.
    """
    wrong = [
        reason
        for topic in TOPICS
        for one in days_of(log, topic, span)
        if (reason := _export_day(log, topic, one, files))
    ]
    if wrong:
        raise UnusableError("; ".join(wrong))


def _export_day(log: EventLog, topic: str, one: LogDay, files: Files) -> str:
    """One file; what is wrong with the one that is there, if anything is."""
    path = files.path(ENTRIES_SHEET, one.day, topic)
    try:
        with files.day(one.day) as tables:
            for entry in _without_gaps(_day(log, topic, one, path), path):
                row = (topic, entry.partition, entry.offset, entry.stamp, entry.payload)
                tables.add(ENTRIES_SHEET, topic, row)
    except UnusableError as error:
        return str(error)
    return ""


def _without_gaps(entries: Iterator[Entry], path: Path) -> Iterator[Entry]:
    """The same; UnusableError where the log was trimmed before all of a day was archived."""
    last = None
    for entry in entries:
        if last is not None and entry.offset != last + 1:
            raise UnusableError(
                f"{path}: ends with offset {last}, and the log goes on with {entry.offset}: what "
                "was between was trimmed before it was archived, and is lost. Move the files of "
                "this day and of earlier ones away, all topics, and export again"
            )
        yield entry
        last = entry.offset


def _day(log: EventLog, topic: str, one: LogDay, path: Path) -> Iterator[Entry]:
    """What the log holds of a day, after what only the older file of that day holds."""
    stretch = entries_between(log, topic, one.start, one.end, _ENTRIES)
    older = read_archived(path, topic) if path.exists() else iter(())
    return _merged(chain.from_iterable(stretch), older, path, one.end[0])


def _merged(live: Iterator[Entry], older: Iterator[Entry], path: Path, end: int) -> Iterator[Entry]:
    kept = next(older, None)
    for entry in live:
        while kept is not None and kept.offset < entry.offset:
            yield kept
            kept = next(older, None)
        if kept is not None and kept.offset == entry.offset:
            _must_equal(kept, entry, path)
            kept = next(older, None)
        yield entry
    while kept is not None:
        if kept.offset >= end:
            raise UnusableError(
                f"{path}: offset {kept.offset} is not of that day in the log, whose part ends "
                f"before {end}: an archive of another log, or of before a restore"
            )
        yield kept  # the log was trimmed a moment ago
        kept = next(older, None)


def _must_equal(kept: Entry, entry: Entry, path: Path) -> None:
    if kept != entry:
        raise UnusableError(
            f"{path}: offset {kept.offset} is not what the log holds there: "
            "an archive of another log, or of before a restore"
        )
