"""Records of the log: the newest, those that are wanted, those that come."""

from collections import deque
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, NamedTuple

from croupier.core import codec
from croupier.core.records import Record
from croupier.ports import Entry, EventLog, Positions, entries_between

_STEP = 512


class Seen(NamedTuple):
    """One record, and when the log took it in, milliseconds."""

    stamp: int
    record: Record


class Wanted(NamedTuple):
    """Which records to show; None is any."""

    experiment: str | None = None
    unit: bytes | None = None
    tracking_id: bytes | None = None

    def holds(self, record: Any) -> bool:
        """Whether to show a record; what only moves time is never shown."""
        if record.__struct_config__.tag in ("tick", "marker"):
            return False
        told = getattr(record, "decision", record)
        return (
            (self.experiment is None or self.experiment == experiment_of(told))
            and (self.unit is None or getattr(told, "unit", None) == self.unit)
            and (self.tracking_id is None or getattr(told, "tracking_id", b"") == self.tracking_id)
        )


def experiment_of(record: Any) -> str:
    """Whose record it is."""
    told = getattr(record, "decision", record)
    spec = getattr(told, "spec", None)
    return str(told.experiment if spec is None else spec.name)


class Stretch(NamedTuple):
    """A part of a topic: from the first record stamped at or after `since` to these positions."""

    topic: str
    since: int
    ends: Positions


def newest(log: EventLog, stretch: Stretch, wanted: Wanted, limit: int) -> list[Seen]:
    """The newest `limit` records of a stretch that are wanted; newest last.

    By stamp, over all partitions: each is read back until it has told so many.
    """
    parts = [stretch._replace(ends={at: end}) for at, end in stretch.ends.items()]
    found = [seen for part in parts for seen in _newest_of(log, part, wanted, limit)]
    return sorted(found, key=attrgetter("stamp"))[-limit:]


def _newest_of(log: EventLog, part: Stretch, wanted: Wanted, limit: int) -> deque[Seen]:
    found: deque[Seen] = deque()
    for entries in _backwards(log, part):
        some = [seen for seen in seen_in(entries) if wanted.holds(seen.record)]
        found.extendleft(reversed(some[-(limit - len(found)) :]))
        if len(found) >= limit:
            break
    return found


def follow(
    log: EventLog, topic: str, wanted: Wanted, begin: Positions, wait: Callable[[], None]
) -> Iterator[Seen]:
    """Records as they come, from these positions on, for ever; `wait` is called where none came."""
    positions = dict(begin)
    while True:
        entries = log.read(topic, positions, _STEP)
        positions |= {entry.partition: entry.offset + 1 for entry in entries}
        yield from (seen for seen in seen_in(entries) if wanted.holds(seen.record))
        if not entries:
            wait()


def seen_in(entries: list[Entry]) -> list[Seen]:
    """The records of some entries, in order."""
    return [
        Seen(entry.stamp, record)
        for entry in entries
        for record in codec.decode_many(entry.payload)
    ]


def _backwards(log: EventLog, stretch: Stretch) -> Iterator[list[Entry]]:
    """Some hundreds of entries at a time, the last ones first."""
    topic, ends = stretch.topic, stretch.ends
    first = log.since(topic, stretch.since)
    while any(end > first.get(partition, 0) for partition, end in ends.items()):
        starts = {p: max(first.get(p, 0), end - _STEP) for p, end in ends.items()}
        yield [entry for some in entries_between(log, topic, starts, ends) for entry in some]
        ends = starts
