"""A snapshot cache that may be flushed, before a history that may not."""

import logging
from collections.abc import Iterable, Mapping
from typing import Protocol

from croupier.core.snapshot import Snapshot
from croupier.ports import Published, SnapshotCache, Tally, UnavailableError

_LOG = logging.getLogger(__name__)


class Front(SnapshotCache, Protocol):
    """Where readers look, the counts of arms beside the snapshots."""

    def recount(self, published: Published) -> bool:
        """Put counts there again where some were lost; False, and no effect, where none were.

        They belong to one version: where another is shown, they are not put.
        """


class DurableSnapshots:
    """SnapshotCache for whoever publishes: versions are at home in `home`, readers look in `front`.

    A snapshot is in `home` before it is in `front`. When `front` cannot answer, publishing goes on,
    and `mend` puts there what it lacks.
    """

    def __init__(self, home: SnapshotCache, front: Front) -> None:
        self._home, self._front = home, front
        self._at_home: dict[str, int] = {}

    def put(self, snapshot: Snapshot, tally: Tally | None = None) -> bool:
        """Publish in both; False, and no effect, when this or a later version is at home."""
        if not self._home.put(snapshot):
            return False
        self._at_home[snapshot.experiment] = snapshot.version
        try:
            self._front.put(snapshot, tally)
        except UnavailableError as error:
            _LOG.warning("snapshot %s not shown yet: %s", snapshot.version, error)
        return True

    def mend(self, published: Iterable[Published] = ()) -> int:
        """Put in front what is newer at home, or was counted and lost; how many snapshots.

        Whoever publishes calls it now and then, with what it published last. What is newer in
        front, because home was restored from a backup, is taken home: no version is given twice.
        """
        shown = self._front.newer({})
        for one in shown:
            if one.version > self._at_home.get(one.experiment, 0):
                if self._home.put(one):
                    _LOG.warning(
                        "%s: version %s was shown, and not known any more: was the database "
                        "restored? Versions go on from there", one.experiment, one.version
                    )  # fmt: skip
                self._at_home[one.experiment] = one.version
        known = {(one.snapshot.experiment, one.snapshot.version): one for one in published}
        versions = {one.experiment: one.version for one in shown}
        mended = 0
        for snapshot in self._home.newer(versions):
            ours = known.get((snapshot.experiment, snapshot.version))
            mended += self._front.put(snapshot, ours and ours.tally)
        for each in known.values():
            self._front.recount(each)
        return mended

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
