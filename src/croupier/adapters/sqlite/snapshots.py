"""Published snapshots in SQLite, every version kept as history."""

import sqlite3
import time
from collections.abc import Mapping

from croupier.adapters.sqlite.file import Reader
from croupier.core import codec
from croupier.core.snapshot import Snapshot
from croupier.ports import Tally

_ASK_SECONDS = 0.05


class SqliteSnapshots:
    """SnapshotCache over a data file."""

    def __init__(self, file: Reader) -> None:
        self._file = file

    def put(self, snapshot: Snapshot, tally: Tally | None = None) -> bool:  # noqa: ARG002
        """Publish; False, and no effect, when this or a later version is there."""
        row = (
            snapshot.experiment,
            snapshot.version,
            snapshot.at,
            codec.encode(snapshot),
        )

        def insert(connection: sqlite3.Connection, _: int) -> bool:
            newest = connection.execute(
                "SELECT max(version) FROM snapshots WHERE experiment = ?", row[:1]
            ).fetchone()[0]
            if newest is not None and newest >= snapshot.version:
                return False
            connection.execute("INSERT INTO snapshots VALUES (?, ?, ?, ?)", row)
            return True

        return self._file.submit(insert).result()

    def latest(self, experiment: str) -> Snapshot | None:
        """The newest snapshot of an experiment."""
        return next(iter(self.history(experiment, 1)), None)

    def newer(self, held: Mapping[str, int], wait: float = 0.0) -> list[Snapshot]:
        """The newest of each experiment, where it is above the version held; asks till it is."""
        end = time.monotonic() + wait
        while True:
            newest = dict(
                self._file.rows("SELECT experiment, max(version) FROM snapshots GROUP BY 1")
            )
            found = [
                snapshot
                for name, version in newest.items()
                if version > held.get(name, 0) and (snapshot := self.latest(name)) is not None
            ]
            if found or time.monotonic() >= end:
                return found
            time.sleep(_ASK_SECONDS)

    def history(self, experiment: str, limit: int, before: int | None = None) -> list[Snapshot]:
        """The newest `limit` snapshots, of versions below `before` if given; oldest first."""
        rows = self._file.rows(
            "SELECT payload FROM snapshots WHERE experiment = ? AND version < ? "
            "ORDER BY version DESC LIMIT ?",
            (experiment, 2**62 if before is None else before, limit),
        )
        return [codec.decode(payload) for (payload,) in rows][::-1]

    def trim(self, at: int) -> int:
        """Drop snapshots published before `at`, but never the newest of an experiment."""

        def delete(connection: sqlite3.Connection, _: int) -> int:
            return connection.execute(
                "DELETE FROM snapshots WHERE at < ? AND version < "
                "(SELECT max(version) FROM snapshots AS newer "
                "WHERE newer.experiment = snapshots.experiment)",
                (at,),
            ).rowcount

        return self._file.submit(delete).result()
