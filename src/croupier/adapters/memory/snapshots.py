"""Published snapshots in lists."""

import bisect
import threading
from collections.abc import Mapping

from croupier.core.snapshot import Snapshot
from croupier.ports import Published, Tally


class MemorySnapshots:
    """SnapshotCache in lists."""

    def __init__(self) -> None:
        self._history: dict[str, list[Snapshot]] = {}
        self._published = threading.Condition()

    def put(self, snapshot: Snapshot, tally: Tally | None = None) -> bool:  # noqa: ARG002
        """Publish; False, and no effect, when this or a later version is there."""
        with self._published:
            history = self._history.setdefault(snapshot.experiment, [])
            if history and history[-1].version >= snapshot.version:
                return False
            history.append(snapshot)
            self._published.notify_all()
            return True

    def recount(self, published: Published) -> bool:  # noqa: ARG002
        """False: counts are not kept."""
        return False

    def latest(self, experiment: str) -> Snapshot | None:
        """The newest snapshot of an experiment."""
        return next(iter(self.history(experiment, 1)), None)

    def newer(self, held: Mapping[str, int], wait: float = 0.0) -> list[Snapshot]:
        """The newest of each experiment, where it is above the version held."""
        with self._published:
            self._published.wait_for(lambda: self._newer(held), wait)
            return self._newer(held)

    def _newer(self, held: Mapping[str, int]) -> list[Snapshot]:
        newest = [history[-1] for history in self._history.values() if history]
        return [one for one in newest if one.version > held.get(one.experiment, 0)]

    def history(self, experiment: str, limit: int, before: int | None = None) -> list[Snapshot]:
        """The newest `limit` snapshots, of versions below `before` if given; oldest first."""
        history = self._history.get(experiment, [])
        if before is not None:
            history = history[: bisect.bisect_left(history, before, key=lambda one: one.version)]
        return history[max(0, len(history) - limit) :]

    def trim(self, at: int) -> int:
        """Drop snapshots published before `at`, but never the newest of an experiment."""
        before = sum(map(len, self._history.values()))
        for name, history in self._history.items():
            kept = [snapshot for snapshot in history[:-1] if snapshot.at >= at]
            self._history[name] = kept + history[-1:]
        return before - sum(map(len, self._history.values()))
