"""Imported trials: read from the observations topic, each row added once."""

from collections.abc import Iterable, Iterator

from croupier.apps.learn import Learn
from croupier.config.backends import Backends
from croupier.core import codec
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.records import Imported
from croupier.ports import OBSERVATIONS, Commit, Entry, Positions, UnavailableError

_ENTRIES = 16


class Imports:
    """Adds what the import door appended, beside the observations that the ring itself writes.

    Positions are of the events topic, so how far imports were read is not in the state: which were
    added is, by their ids. Invariant: whatever is committed with watermark W holds all imports
    stamped before W, for the ring drains them before each step. Reading again from W misses none.
    """

    def __init__(self, backends: Backends, learn: Learn) -> None:
        self._backends, self._learn = backends, learn
        self._positions: Positions = {}
        self._unsure: tuple[set[bytes], dict[StateKey, Sums]] | None = None

    def resume(self, watermark: int) -> None:
        """Go on where a commit with this watermark stood."""
        self._positions = self._backends.log.since(OBSERVATIONS, watermark)

    def drain(self, positions: Positions, watermark: int) -> bool:
        """Add every row that is on the log and not in the sums; whether there was one.

        UnavailableError changes nothing here: calling again takes it up.
        """
        found = False
        while entries := self._backends.log.read(OBSERVATIONS, self._positions, _ENTRIES):
            rows = {row.id: (stamp, row) for stamp, row in reversed(list(imported_in(entries)))}
            if rows:
                found = self._add(rows, positions, watermark) or found
            self._positions |= {entry.partition: entry.offset + 1 for entry in entries}
        return found

    def _add(
        self, rows: dict[bytes, tuple[int, Imported]], positions: Positions, watermark: int
    ) -> bool:
        known = self._backends.states.known(rows)
        if self._unsure and self._unsure[0] <= known:
            self._learn.take(self._unsure[1])
        self._unsure = None
        fresh = {id_: row for id_, row in rows.items() if id_ not in known}
        if not fresh:
            return False
        learned = self._learn.absorb(row for _, row in fresh.values())
        ids = {id_: stamp for id_, (stamp, _) in fresh.items()}
        ids |= {row.content: stamp for stamp, row in fresh.values()}
        try:
            self._backends.states.commit(
                Commit(
                    positions=positions,
                    watermark=watermark,
                    since=positions,
                    sums=learned.sums,
                    counts=learned.counts,
                    ids=ids,
                )
            )
        except UnavailableError:  # perhaps only the answer was lost: the next turn finds out
            self._unsure = set(fresh), learned.sums
            raise
        self._learn.take(learned.sums)
        return True


def imported_in(entries: Iterable[Entry]) -> Iterator[tuple[int, Imported]]:
    """The imported rows among these entries, with their stamps; the rest is not decoded."""
    for entry in entries:
        if codec.may_hold(entry.payload, Imported):
            for record in codec.decode_many(entry.payload):
                if isinstance(record, Imported):
                    yield entry.stamp, record
