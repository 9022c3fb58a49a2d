"""Published snapshots in PostgreSQL: history, and the home of version numbers."""

import time
from collections.abc import Mapping

from croupier.adapters.postgres.database import Connection, Database
from croupier.core import codec
from croupier.core.snapshot import Snapshot
from croupier.ports import Tally

_ASK_SECONDS = 0.2


class PostgresSnapshots:
    """SnapshotCache over a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, snapshot: Snapshot, tally: Tally | None = None) -> bool:  # noqa: ARG002
        """Publish; False, and no effect, when this or a later version is there."""
        row = (snapshot.experiment, snapshot.version, snapshot.at, codec.encode(snapshot))

        def insert(connection: Connection) -> bool:
            return bool(
                connection.execute(
                    "INSERT INTO snapshots SELECT %s, %s, %s, %s WHERE NOT EXISTS "
                    "(SELECT FROM snapshots WHERE experiment = %s AND version >= %s)",
                    (*row, *row[:2]),
                ).rowcount
            )

        return self._database.alone(insert)

    def latest(self, experiment: str) -> Snapshot | None:
        """The newest snapshot of an experiment."""
        return next(iter(self.history(experiment, 1)), None)

    def newer(self, held: Mapping[str, int], wait: float = 0.0) -> list[Snapshot]:
        """The newest of each experiment, where it is above the version held; asks till it is."""
        end = time.monotonic() + wait
        while True:
            found = self._database.rows(
                "SELECT payload FROM snapshots JOIN (SELECT experiment, max(version) AS version "
                "FROM snapshots GROUP BY 1) AS newest USING (experiment, version) LEFT JOIN "
                "unnest(%s::text[], %s::bigint[]) AS held (name, least) ON name = experiment "
                "WHERE version > coalesce(least, 0)",
                (list(held), list(held.values())),
            )
            if found or time.monotonic() >= end:
                return [codec.decode(bytes(payload)) for (payload,) in found]
            time.sleep(_ASK_SECONDS)

    def history(self, experiment: str, limit: int, before: int | None = None) -> list[Snapshot]:
        """The newest `limit` snapshots, of versions below `before` if given; oldest first."""
        rows = self._database.rows(
            "SELECT payload FROM snapshots WHERE experiment = %s AND version < %s "
            "ORDER BY version DESC LIMIT %s",
            (experiment, 2**62 if before is None else before, limit),
        )
        return [codec.decode(bytes(payload)) for (payload,) in rows][::-1]

    def trim(self, at: int) -> int:
        """Drop snapshots published before `at`, but never the newest of an experiment."""
        return self._database.run(
            lambda connection: (
                connection.execute(
                    "DELETE FROM snapshots WHERE at < %s AND version < (SELECT max(version) "
                    "FROM snapshots AS newer WHERE newer.experiment = snapshots.experiment)",
                    (at,),
                ).rowcount
            )
        )
