"""Published snapshots: the newest for serving, the others for the record."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from croupier.core.snapshot import Snapshot


class Tally(NamedTuple):
    """What was counted of an experiment's arms, for others to read beside the snapshot.

    `n` trials and `reward` (millionths) of each arm, in the order of the snapshot's arms.
    """

    surface: str
    n: Sequence[int]
    reward: Sequence[int]


class Published(NamedTuple):
    """A snapshot, and what was counted when it was made."""

    snapshot: Snapshot
    tally: Tally


class SnapshotCache(Protocol):
    """The published snapshots, and their history."""

    def put(self, snapshot: Snapshot, tally: Tally | None = None) -> bool:
        """Publish; False, and no effect, when this or a later version is there."""

    def latest(self, experiment: str) -> Snapshot | None:
        """The newest snapshot of an experiment."""

    def newer(self, held: Mapping[str, int], wait: float = 0.0) -> list[Snapshot]:
        """The newest snapshot of each experiment whose version is above the one held.

        `held` are versions by experiment. While there is none, it waits up to `wait` seconds.
        """

    def history(self, experiment: str, limit: int, before: int | None = None) -> list[Snapshot]:
        """The newest `limit` snapshots, of versions below `before` if given; oldest first.

        A cache may keep only so many.
        """

    def trim(self, at: int) -> int:
        """Drop snapshots published before `at`, but never the newest of an experiment."""
