"""A snapshot cache that may be flushed, before a history that may not."""

import logging
from collections.abc import Mapping

from croupier.core.snapshot import Snapshot
from croupier.ports import SnapshotCache, Tally, UnavailableError

_LOG = logging.getLogger(__name__)


class DurableSnapshots:
    """SnapshotCache for whoever publishes: versions are at home in `home`, readers look in `front`.

    A snapshot is in `home` before it is in `front`. When `front` cannot answer, publishing goes on,
    and `mend` puts there what it lacks.
    """

    def __init__(self, home: SnapshotCache, front: SnapshotCache) -> None:
        self._home, self._front = home, front
        self._tallies: dict[str, Tally | None] = {}

    def put(self, snapshot: Snapshot, tally: Tally | None = None) -> bool:
        """Publish in both; False, and no effect, when this or a later version is at home."""
        if not self._home.put(snapshot):
            return False
        self._tallies[snapshot.experiment] = tally
        try:
            self._front.put(snapshot, tally)
        except UnavailableError as error:
            _LOG.warning("snapshot %s not shown yet: %s", snapshot.version, error)
        return True

    def mend(self) -> int:
        """Put in front what is newer at home; how many. Whoever publishes calls it now and then."""
        shown = {one.experiment: one.version for one in self._front.newer({})}
        return sum(
            self._front.put(snapshot, self._tallies.get(snapshot.experiment))
            for snapshot in self._home.newer(shown)
        )

    def latest(self, experiment: str) -> Snapshot | None:
        """The newest snapshot of an experiment."""
        return self._home.latest(experiment)

    def newer(self, held: Mapping[str, int], wait: float = 0.0) -> list[Snapshot]:
        """The newest of each experiment, where it is above the version held."""
        return self._home.newer(held, wait)

    def history(self, experiment: str, limit: int, before: int | None = None) -> list[Snapshot]:
        """The newest `limit` snapshots, of versions below `before` if given; oldest first."""
        return self._home.history(experiment, limit, before)

    def trim(self, at: int) -> int:
        """Drop snapshots published before `at` from both, but never the newest; how many."""
        self._front.trim(at)
        return self._home.trim(at)
