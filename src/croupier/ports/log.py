"""The event log: append-only topics in partitions, stamped by the log itself."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import NamedTuple, Protocol
from zlib import crc32

EVENTS, FUNNELS, OBSERVATIONS, ARMS = TOPICS = ("events", "funnels", "observations", "arms")

_ENTRIES = 512

Positions = dict[int, int]
"""The offset to read next, by partition."""


class Entry(NamedTuple):
    """One append: records encoded together, stamped by the log, never backwards."""

    partition: int
    offset: int
    stamp: int
    payload: bytes


class EventLog(Protocol):
    """Append-only topics in partitions; what `append` has answered for survives a crash.

    The stamps of a partition never go back as `read` and `since` tell them, wherever a reader
    starts: an entry of a clock that went back has the newest stamp before it.
    """

    def append(
        self, topic: str, records: Sequence[bytes], keys: Sequence[bytes] | None = None
    ) -> "Future[int]":
        """Append encoded records; the future holds their newest stamp once all are durable.

        `keys` are one a record: records of one key are in one partition, in order. Records
        without keys concern everybody: they go to every partition (ticks, markers). Records for
        one partition are one entry, unless they are too large for one. When the future fails
        (UnavailableError), none, some or all of them may be on the log: append the same again.
        """

    def read(self, topic: str, positions: Positions, limit: int) -> list[Entry]:
        """At most `limit` entries from these positions on, each partition in order of offset.

        Only the partitions that `positions` names are read; where it is empty, all of them,
        from their start. The answer is empty only when all that was
        acknowledged before the call is behind the positions; it may wait a moment to find out.
        """

    def ends(self, topic: str) -> Positions:
        """The position behind the last entry of each declared partition, trimmed or not."""

    def since(self, topic: str, stamp: int) -> Positions:
        """The position of the first entry stamped at or after `stamp`, or the end, by partition."""

    def trim(self, topic: str, stamp: int) -> int:
        """Drop entries stamped before `stamp`; how many."""


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key: CRC-32 modulo their number, as librdkafka partitions by default.

    >>> partition_of(b"a-unit", 4), partition_of(b"a-unit", 1)
    (2, 0)
    """
    return crc32(key) % partitions


def entries_between(
    log: EventLog, topic: str, start: Positions, end: Positions, limit: int = _ENTRIES
) -> Iterator[list[Entry]]:
    """The entries of a topic from `start` up to, not including, `end`, `limit` at a time."""
    positions = dict.fromkeys(end, 0) | start
    while any(positions.get(partition, 0) < last for partition, last in end.items()):
        entries = log.read(topic, positions, limit)
        wanted = [entry for entry in entries if entry.offset < end.get(entry.partition, 0)]
        if wanted:
            yield wanted
        if not entries:
            return
        positions |= {entry.partition: entry.offset + 1 for entry in entries}


def is_trimmed(log: EventLog, topic: str) -> bool:
    """Whether a topic no longer begins where it began, or all that was on it is gone."""
    for partition, end in log.ends(topic).items():
        first = log.read(topic, {partition: 0}, 1)
        if (first[0].offset if first else end) > 1:  # the first offset is 0 or 1
            return True
    return False
