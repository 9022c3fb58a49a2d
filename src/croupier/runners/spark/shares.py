"""Which bucket a record goes to, and what a bucket is given of a batch."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from zlib import crc32

import msgspec

from croupier.core import codec
from croupier.core.records import Event, Funnel, Marker
from croupier.ports import Entry
from croupier.runners.distributed.parts import story_key

_FLUSH_AT = 20_000


class Share(msgspec.Struct, array_like=True, gc=False):
    """What one bucket is given of one partition: records by stamp, and how far reading came.

    The partition was read from `first` up to, not including, `position`; the newest stamp is
    `reached`. `position` is 0 in all but the last share of a batch.
    """

    bucket: int
    partition: int
    first: int
    position: int
    reached: int
    entries: list[tuple[int, bytes]]


class Floor(NamedTuple):
    """The greatest stamp that a partition holds up to an offset."""

    offset: int
    stamp: int


class Sorter:
    """Sorts the entries of a batch into buckets; each bucket belongs to one partition.

    A bucket of partition p is p·buckets + a hash of what its stories have in common. Markers go
    to every bucket of their partition; so does how far the batch came, which is what moves time
    where no record of its own does. Stamps never go back, as with TopicReader: not within a batch
    here, not before its start by `floors`, not between batches by what a bucket remembers.
    """

    def __init__(self, partitions: int, buckets: int, floors: dict[int, Floor]) -> None:
        self._partitions, self._buckets, self._floors = partitions, buckets, floors

    def __call__(self, entries: Iterable[Entry]) -> Iterator[tuple[int, bytes]]:
        """The buckets of one task's entries, each with an encoded share."""
        filling: dict[int, _Filling] = {}
        for entry in entries:
            one = filling.get(entry.partition)
            if one is None:
                one = filling[entry.partition] = _Filling(entry.offset)
            floor = self._floors.get(entry.partition)
            if floor is not None and entry.offset >= floor.offset:
                one.reached = max(one.reached, floor.stamp)
            one.reached = max(one.reached, entry.stamp)
            one.position = entry.offset + 1
            self._sort(entry, one)
            if one.held > _FLUSH_AT:
                yield from self._shares(entry.partition, one, last=False)
        for partition, one in filling.items():
            yield from self._shares(partition, one, last=True)

    def _sort(self, entry: Entry, one: "_Filling") -> None:
        sorted_: dict[int, list[bytes]] = defaultdict(list)
        for record in codec.decode_many(entry.payload):
            if isinstance(record, Event | Funnel):
                # What is left of the hash: the partition was chosen by its remainder.
                left = crc32(story_key(record)) // self._partitions
                sorted_[left % self._buckets].append(codec.encode(record))
            elif isinstance(record, Marker):
                encoded = codec.encode(record)
                for number in range(self._buckets):
                    sorted_[number].append(encoded)
        for number, records in sorted_.items():
            one.entries[number].append((one.reached, codec.join(records)))
            one.held += len(records)

    def _shares(
        self, partition: int, one: "_Filling", *, last: bool
    ) -> Iterator[tuple[int, bytes]]:
        position = one.position if last else 0
        for number in range(self._buckets) if last else list(one.entries):
            bucket, entries = partition * self._buckets + number, one.entries[number]
            share = Share(bucket, partition, one.first, position, one.reached, entries)
            yield bucket, msgspec.msgpack.encode(share)
        one.entries.clear()
        one.held = 0


class _Filling:
    """What was read of one partition and not passed on yet."""

    def __init__(self, first: int) -> None:
        self.first, self.position, self.reached, self.held = first, 0, 0, 0
        self.entries: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
