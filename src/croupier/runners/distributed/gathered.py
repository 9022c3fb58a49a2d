"""What some entries of the observations topic add: sums and ids of what was not added before."""

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

import msgspec

from croupier.core import codec
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.declarations import Declarations
from croupier.core.learn import Learned, absorb
from croupier.core.records import Imported, Marker, Observation
from croupier.ports import Entry, Positions

Known = Callable[[Collection[bytes]], set[bytes]]


class Gathered(NamedTuple):
    """Positions behind the entries, the watermarks of their markers, and what they add.

    Two of different partitions add up: an observation's id is its key on the log.
    """

    positions: Positions
    reached: dict[int, int]
    learned: Learned
    ids: dict[bytes, int]

    def encode(self) -> bytes:
        """As MessagePack; sums as text, for they outgrow 64 bits."""
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
    told: dict[bytes, tuple[int, Observation | Imported]] = {}
    positions: Positions = {}
    reached: dict[int, int] = {}
    for entry in entries:
        positions[entry.partition] = entry.offset + 1
        for record in codec.decode_many(entry.payload):
            if isinstance(record, Observation):
                told.setdefault(record.id, (record.at, record))
            elif isinstance(record, Imported):
                told.setdefault(record.id, (entry.stamp, record))
            elif isinstance(record, Marker):
                reached[record.source] = max(reached.get(record.source, 0), record.watermark)
    added = known([each for each, (at, _) in told.items() if at >= oldest])
    fresh = {each: one for each, one in told.items() if one[0] >= oldest and each not in added}
    learned = absorb((record for _, record in fresh.values()), declarations)
    for at, record in told.values():
        if at < oldest:
            learned.counts[record.experiment, "stale"] += 1
    ids = {each: at for each, (at, _) in fresh.items()}
    ids |= {one.content: at for at, one in fresh.values() if isinstance(one, Imported)}
    return Gathered(positions, reached, learned, ids)
