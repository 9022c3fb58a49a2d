"""A log that was trimmed, with its archive before it."""

from bisect import bisect_right
from collections.abc import Sequence
from concurrent.futures import Future
from itertools import pairwise
from pathlib import Path

from croupier.adapters.archive.stretch import Stretch, stretches_of
from croupier.ports import TOPICS, Entry, EventLog, Positions, UnusableError

_FOREIGN = "an archive of another log, or of before a restore"


class ArchivedLog:
    """EventLog over one of a single partition without gaps: where that was trimmed, over files.

    What both hold is read from the log and compared: entries are told once. UnusableError, with
    the file and the offset, for a gap within the archive or before the log, for what is damaged
    or another log's. What is appended and trimmed is so in the log; the archive stays as it is.
    """

    def __init__(self, folder: Path, live: EventLog) -> None:
        self._live = live
        self._stretches = {topic: _ordered(folder, topic) for topic in TOPICS}
        self._held: dict[str, tuple[Stretch, list[Entry]]] = {}
        for topic, stretches in self._stretches.items():
            if stretches:
                _must_meet(stretches[-1], topic, live)

    def append(
        self, topic: str, records: Sequence[bytes], keys: Sequence[bytes] | None = None
    ) -> "Future[int]":
        """Append to the log."""
        return self._live.append(topic, records, keys)

    def read(self, topic: str, positions: Positions, limit: int) -> list[Entry]:
        """At most `limit` entries from the position on: of the archive, then of the log."""
        found, position = list[Entry](), positions.get(0, 0)
        while len(found) < limit:
            more = self._next(topic, position, limit - len(found))
            if not more:
                break
            found += more
            position = more[-1].offset + 1
        return found

    def _next(self, topic: str, position: int, limit: int) -> list[Entry]:
        """Entries of the log or, where it begins later, of one stretch of the archive."""
        live, stretches = self._live.read(topic, {0: position}, limit), self._stretches[topic]
        if not stretches:
            return live
        wanted = max(position, stretches[0].first)
        if not live or live[0].offset > wanted:
            older = self._archived(topic, wanted)[:limit]
            if older or not live:
                return older
            raise _gap(stretches[-1], live[0].offset)
        for entry in live:
            if stretches[0].first <= entry.offset < stretches[-1].end:
                self._must_equal(topic, entry)
        return live

    def ends(self, topic: str) -> Positions:
        """Where the log ends: the archive is of what was on it."""
        return self._live.ends(topic)

    def since(self, topic: str, stamp: int) -> Positions:
        """The first entry stamped at or after `stamp`, in the archive or on the log."""
        found = self._live.since(topic, stamp)
        for stretch in self._stretches[topic]:
            if stretch.newest >= stamp:
                older = (each.offset for each in self._entries(stretch) if each.stamp >= stamp)
                return {0: min(next(older), found[0])}
        return found

    def trim(self, topic: str, stamp: int) -> int:
        """Drop entries of the log; what the archive holds of them is read on."""
        return self._live.trim(topic, stamp)

    def _archived(self, topic: str, offset: int) -> list[Entry]:
        """The entries from an offset to the end of its stretch; none behind the archive."""
        stretch = self._stretch(topic, offset)
        if offset >= stretch.end:
            return []
        return self._entries(stretch)[offset - stretch.first :]

    def _stretch(self, topic: str, offset: int) -> Stretch:
        """The last that begins at this offset or before."""
        stretches = self._stretches[topic]
        return stretches[bisect_right(stretches, offset, key=lambda each: each.first) - 1]

    def _entries(self, stretch: Stretch) -> list[Entry]:
        """Read as often as readers come back to it, but not entry by entry."""
        held = self._held.get(stretch.topic)
        if held is None or held[0] != stretch:
            held = self._held[stretch.topic] = stretch, stretch.read()
        return held[1]

    def _must_equal(self, topic: str, entry: Entry) -> None:
        stretch = self._stretch(topic, entry.offset)
        if self._entries(stretch)[entry.offset - stretch.first] != entry:
            raise UnusableError(
                f"{stretch.path}: offset {entry.offset} is not what the log holds there: {_FOREIGN}"
            )


def _ordered(folder: Path, topic: str) -> list[Stretch]:
    """The stretches of a topic in order of offset, none missing, none twice."""
    paths = sorted(folder.glob(f"day=*/{topic}.parquet"))
    found = [stretch for path in paths for stretch in stretches_of(path, topic)]
    found.sort(key=lambda each: each.first)
    for before, after in pairwise(found):
        if after.first > before.end:
            raise _gap(before, after.first, f"{after.path}")
        if after.first < before.end:
            raise UnusableError(f"{after.path}: offset {after.first} is in {before.path}, too")
        if after.oldest < before.newest:
            raise UnusableError(
                f"{after.path}: offset {after.first} has an older stamp than the one before it, in "
                f"{before.path}"
            )
    return found


def _must_meet(last: Stretch, topic: str, live: EventLog) -> None:
    """The log must begin where the archive ends, or earlier, and must not end earlier."""
    first, end = live.read(topic, {}, 1), live.ends(topic)[0]
    begin = first[0].offset if first else end
    if last.end > end:
        raise UnusableError(
            f"{last.path}: offset {last.end - 1} is not on the log, which ends before {end}: "
            f"{_FOREIGN}"
        )
    if last.end < begin:
        raise _gap(last, begin)


def _gap(before: Stretch, offset: int, where: str = "the log") -> UnusableError:
    return UnusableError(
        f"{before.path}: ends with offset {before.end - 1}, and {where} begins with {offset}: "
        "what was between is missing"
    )
