"""What entries of the observations topic add: sums, and ids that are new."""

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

    Two of different partitions add up: an observation's id is its key on the log. Imported rows
    are passed on with their stamps, for two may say the same in different partitions.
    """

    positions: Positions
    reached: dict[int, int]
    learned: Learned
    ids: dict[bytes, int]
    imported: list[tuple[int, Imported]]

    def encode(self) -> bytes:
        """As MessagePack; sums as text, for they outgrow 64 bits."""
        sums = [(key, one.encode()) for key, one in self.learned.sums.items()]
        counts = [(*place, count) for place, count in self.learned.counts.items()]
        imported = [(stamp, codec.encode(one)) for stamp, one in self.imported]
        return msgspec.msgpack.encode(
            (self.positions, self.reached, sums, counts, self.ids, imported)
        )

    @classmethod
    def decode(cls, encoded: bytes) -> "Gathered":
        """The inverse."""
        positions, reached, sums, counts, ids, imported = msgspec.msgpack.decode(
            encoded,
            type=tuple[
                dict[int, int],
                dict[int, int],
                list[tuple[StateKey, str]],
                list[tuple[str, str, int]],
                dict[bytes, int],
                list[tuple[int, bytes]],
            ],
        )
        learned = Learned()
        learned.sums |= {key: Sums.decode(text) for key, text in sums}
        learned.counts |= {(name, what): count for name, what, count in counts}
        past = [(stamp, codec.decode(one)) for stamp, one in imported]
        return cls(positions, reached, learned, ids, past)


def gather(
    entries: Iterable[Entry], declarations: Declarations, known: Known, oldest: int
) -> Gathered:
    """What entries, in order of partition and offset, add to a store that knows these ids.

    What is of a time before `oldest` could be in without an id: it is counted as stale.
    """
    told: dict[bytes, Observation] = {}
    imported: list[tuple[int, Imported]] = []
    positions: Positions = {}
    reached: dict[int, int] = {}
    for entry in entries:
        positions[entry.partition] = entry.offset + 1
        for record in codec.decode_many(entry.payload):
            if isinstance(record, Observation):
                told.setdefault(record.id, record)
            elif isinstance(record, Imported):
                imported.append((entry.stamp, record))
            elif isinstance(record, Marker):
                reached[record.source] = max(reached.get(record.source, 0), record.watermark)
    added = known([one.id for one in told.values() if one.at >= oldest])
    fresh = [one for one in told.values() if one.at >= oldest and one.id not in added]
    learned = absorb(fresh, declarations)
    for one in told.values():
        if one.at < oldest:
            learned.counts[one.experiment, "stale"] += 1
    return Gathered(positions, reached, learned, {one.id: one.at for one in fresh}, imported)
