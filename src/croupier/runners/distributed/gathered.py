"""What some entries of the observations topic add: new sums and ids."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

import msgspec

from croupier.core import codec
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.declarations import Declarations
from croupier.core.learn import Learned, absorb
from croupier.core.open_trials import OpenTrials
from croupier.core.records import Imported, Marker, Observation
from croupier.ports import Entry, Positions

Known = Callable[[Collection[bytes]], set[bytes]]
Told = tuple[int, Observation | Imported]
"""A record, and the data time that its id is kept by."""


class Gathered(NamedTuple):
    """Positions behind the entries, the watermarks of their markers, and what they add.

    Two of different partitions add up: a record's id is its key on the log, so what may be the
    same is in one partition.
    """

    positions: Positions
    reached: dict[int, int]
    learned: Learned
    ids: dict[bytes, int]
    open: tuple[OpenTrials, ...] = ()

    def encode(self) -> bytes:
        """As MessagePack, but for open trials; sums as text, for they outgrow 64 bits."""
        sums = [(key, one.encode()) for key, one in self.learned.sums.items()]
        counts = [(*place, count) for place, count in self.learned.counts.items()]
        return msgspec.msgpack.encode((self.positions, self.reached, sums, counts, self.ids))

    @classmethod
    def decode(cls, encoded: bytes) -> "Gathered":
        """The inverse."""
        positions, reached, sums, counts, ids = msgspec.msgpack.decode(
            encoded,
            type=tuple[
                dict[int, int],
                dict[int, int],
                list[tuple[StateKey, str]],
                list[tuple[str, str, int]],
                dict[bytes, int],
            ],
        )
        learned = Learned()
        learned.sums |= {key: Sums.decode(text) for key, text in sums}
        learned.counts |= {(name, what): count for name, what, count in counts}
        return cls(positions, reached, learned, ids)


def gather(
    entries: Iterable[Entry], declarations: Declarations, known: Known, oldest: int
) -> Gathered:
    """What entries, in order of partition and offset, add to a store that knows these ids.

    What is of a time before `oldest` could be in without an id: it is counted as stale.
    """
    told: dict[bytes, Told] = {}
    positions: Positions = {}
    reached: dict[int, int] = {}
    open_trials: list[OpenTrials] = []
    for entry in entries:
        positions[entry.partition] = entry.offset + 1
        for record in codec.decode_many(entry.payload):
            if isinstance(record, Observation | Imported):
                told.setdefault(record.id, (_data_time(record, entry), record))
            elif isinstance(record, Marker):
                reached[record.source] = max(reached.get(record.source, 0), record.watermark)
            elif isinstance(record, OpenTrials):
                open_trials.append(record)
    added = known({id_ for _, one in told.values() for id_ in _ids(one)})
    fresh = _new(told, added, oldest)
    learned = absorb((record for _, record in fresh.values()), declarations)
    for at, record in told.values():
        if at < oldest:
            learned.counts[record.experiment, "stale"] += 1
    ids = {id_: at for at, one in fresh.values() for id_ in _ids(one)}
    return Gathered(positions, reached, learned, ids, tuple(open_trials))


def _data_time(record: Observation | Imported, entry: Entry) -> int:
    """An observation's own; that of imported rows is when they came."""
    return record.at if isinstance(record, Observation) else entry.stamp


def _ids(record: Observation | Imported) -> tuple[bytes, ...]:
    """What must not be in the sums already; the same rows under another name count as the same."""
    return (record.id, record.content) if isinstance(record, Imported) else (record.id,)


def _new(told: Mapping[bytes, Told], known: Collection[bytes], oldest: int) -> dict[bytes, Told]:
    """What was told and is neither in the store, nor told before in other words, nor stale."""
    seen, fresh = set(known), dict[bytes, Told]()
    for id_, (at, record) in told.items():
        if at >= oldest and seen.isdisjoint(_ids(record)):
            fresh[id_] = at, record
            seen.update(_ids(record))
    return fresh
