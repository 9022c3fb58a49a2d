"""The event log in lists."""

import bisect
from collections.abc import Sequence
from concurrent.futures import Future

from croupier.clock import Clock
from croupier.core import codec
from croupier.ports import (
    ARMS,
    TOPICS,
    Entry,
    Positions,
    partition_of,
)


class MemoryLog:
    """EventLog in lists, one a partition; the topic `arms` always has one."""

    def __init__(self, clock: Clock, partitions: int = 1) -> None:
        self._clock = clock
        self._entries: dict[str, list[list[Entry]]] = {
            topic: [[] for _ in range(1 if topic == ARMS else partitions)] for topic in TOPICS
        }
        self._ends = {topic: [0] * len(parts) for topic, parts in self._entries.items()}

    def append(
        self, topic: str, records: Sequence[bytes], keys: Sequence[bytes] | None = None
    ) -> "Future[int]":
        """Append as one entry a partition; the future is done at once."""
        done: Future[int] = Future()
        parts = len(self._ends[topic])
        shares: list[list[bytes]] = [[] for _ in range(parts)]
        if keys is None:
            shares = [list(records)] * parts
        else:
            for record, key in zip(records, keys, strict=True):
                shares[partition_of(key, parts)].append(record)
        stamp = self._clock.now()
        for partition, share in enumerate(shares):
            if share:
                self._put(topic, partition, stamp, codec.join(share))
        done.set_result(stamp)
        return done

    def _put(self, topic: str, partition: int, stamp: int, payload: bytes) -> None:
        offset = self._ends[topic][partition]
        self._entries[topic][partition].append(Entry(partition, offset, stamp, payload))
        self._ends[topic][partition] = offset + 1

    def read(self, topic: str, positions: Positions, limit: int) -> list[Entry]:
        """At most `limit` entries from the positions on, those stamped first before the others."""
        found: list[Entry] = []
        for partition, entries in enumerate(self._entries[topic]):
            if partition in positions or not positions:
                position = positions.get(partition, 0)
                start = bisect.bisect_left(entries, position, key=lambda entry: entry.offset)
                found += entries[start : start + limit]
        return sorted(found, key=lambda entry: entry.stamp)[:limit]

    def ends(self, topic: str) -> Positions:
        """One behind the last entries."""
        return dict(enumerate(self._ends[topic]))

    def since(self, topic: str, stamp: int) -> Positions:
        """The first entries stamped at or after `stamp`, or the ends."""
        found = self.ends(topic)
        for partition, entries in enumerate(self._entries[topic]):
            place = bisect.bisect_left(entries, stamp, key=lambda entry: entry.stamp)
            if place < len(entries):
                found[partition] = entries[place].offset
        return found

    def trim(self, topic: str, stamp: int) -> int:
        """Drop entries stamped before `stamp`; how many."""
        before = sum(map(len, self._entries[topic]))
        for entries in self._entries[topic]:
            entries[:] = [entry for entry in entries if entry.stamp >= stamp]
        return before - sum(map(len, self._entries[topic]))
