"""The names of arms in a table, for whoever reads the sums with SQL."""

from collections.abc import Mapping

from croupier.adapters.postgres.database import Connection, Database
from croupier.core import codec
from croupier.core.records import ArmSet

_PUT = (
    "INSERT INTO arms AS a VALUES (%s, %s, %s, %s) ON CONFLICT (experiment, arm) DO UPDATE "
    "SET name = excluded.name, status = excluded.status "
    "WHERE (a.name, a.status) IS DISTINCT FROM (excluded.name, excluded.status)"
)


class ArmNames:
    """Writes what is declared where it has changed; the log is where arms are at home."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._told: dict[str, bytes] = {}

    def declare(self, records: Mapping[str, bytes]) -> None:
        """Take the newest arms of each experiment, encoded among other records."""
        changed = {name: each for name, each in records.items() if self._told.get(name) != each}
        rows = [
            (record.experiment, arm.number, arm.name, arm.status)
            for record in codec.decode_all(changed.values())
            if isinstance(record, ArmSet)
            for arm in record.arms
        ]

        def put(connection: Connection) -> None:
            with connection.cursor() as cursor:
                cursor.executemany(_PUT, rows)

        if rows:
            self._database.run(put)
        self._told |= changed
