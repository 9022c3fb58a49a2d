"""Arm states in PostgreSQL, every intermediate one; a transaction a commit."""

from collections.abc import Collection, Sequence
from uuid import UUID, uuid4

from croupier.adapters.postgres.database import Connection, Database
from croupier.adapters.postgres.ids import add_ids, drop_ids
from croupier.core.arms.groups import GROUP
from croupier.core.arms.sums import StateKey, Sums
from croupier.ports import Commit, Positions, StaleError, Standing, already_in

_KEY = ", ".join(StateKey._fields)
_SUMS = ", ".join(Sums._fields)
_ARM = ", ".join(StateKey._fields[:-1])
_TAKE = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS added (LIKE arm_states) ON COMMIT DELETE ROWS",
    f"COPY added ({_KEY}, {_SUMS}) FROM STDIN",
)
_ADD = (
    f"INSERT INTO arm_states AS s ({_KEY}, {_SUMS}) SELECT {_KEY}, {_SUMS} FROM added "  # noqa: S608
    f"ON CONFLICT ({_KEY}) DO UPDATE SET "
    + ", ".join(f"{name} = s.{name} + excluded.{name}" for name in Sums._fields),
    f"DELETE FROM arm_states WHERE ({_KEY}) IN (SELECT {_KEY} FROM added) AND "  # noqa: S608
    + " AND ".join(f"{name} = 0" for name in Sums._fields),
)
_HISTORY = (
    f"INSERT INTO arm_history (commit, {_ARM}, {_SUMS}) "  # noqa: S608
    f"SELECT %s, {_ARM}, {', '.join(f'sum({name})' for name in Sums._fields)} "
    f"FROM arm_states WHERE ({_ARM}) IN (SELECT {_ARM} FROM added) "
    f"AND NOT starts_with(stratum, '{GROUP}') GROUP BY {_ARM}"
)
_COUNT = (
    "INSERT INTO counts AS c VALUES (%s, %s, %s) "
    "ON CONFLICT (experiment, name) DO UPDATE SET value = c.value + excluded.value"
)
_LATE = "INSERT INTO late VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"


class PostgresState:
    """StateStore over a database.

    Positions and watermark belong to a `scope` (an app, or an app's share of the partitions); sums,
    counts, ids and late records to all scopes together. Commits of a schema follow one another: an
    advisory lock sees to it. Each writer has a name of its own, so that a commit of another
    process to the very same positions is not taken for one of ours that was sent again.
    """

    def __init__(self, database: Database, scope: str = "learn") -> None:
        self._database, self._scope, self._writer = database, scope, uuid4()

    def load(
        self, experiment: str | None = None, *, strata: Collection[str] | None = None
    ) -> Standing:
        """Where learning stands, as of one moment."""
        where, chosen = (
            ("", ()) if experiment is None else (" WHERE experiment = %s", (experiment,))
        )

        def read(connection: Connection) -> Standing:
            def rows(query: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
                return connection.execute(query.encode(), values).fetchall()

            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            watermark = rows("SELECT watermark FROM progress WHERE scope = %s", (self._scope,))
            states = rows(*_sums_of(experiment, strata)) if strata is None or strata else []
            counts = rows(f"SELECT * FROM counts{where}", chosen)  # noqa: S608
            opened = rows(
                f"SELECT experiment, sum(stories)::bigint FROM open_stories{where} GROUP BY 1",  # noqa: S608
                chosen,
            )
            width = len(StateKey._fields)
            return Standing(
                positions=_positions(connection, self._scope),
                watermark=int(str(watermark[0][0])) if watermark else 0,
                sums={
                    StateKey(*row[:width]): Sums(*map(int, row[width:]))  # type: ignore[arg-type]
                    for row in states
                },
                counts={(name, what): value for name, what, value in counts},  # type: ignore[misc]
                open=dict(opened),  # type: ignore[arg-type]
            )

        return self._database.run(read)

    def commit(self, commit: Commit) -> None:
        """Add one step in one transaction; ValueError for output, which is a log's business."""
        if commit.output:
            raise ValueError("PostgreSQL holds no log: append the output first, then commit")

        def apply(connection: Connection) -> None:
            if already_in(commit, _positions(connection, self._scope)):
                _must_be(self._writer, connection, self._scope)
                return
            add_ids(connection, commit.ids)
            _add_sums(connection, commit, self._scope)
            _count(connection, commit)
            self._move(connection, commit)

        self._database.alone(apply)

    def known(self, ids: Collection[bytes]) -> set[bytes]:
        """Which of these have been committed already."""
        found = self._database.rows("SELECT id FROM ids WHERE id = ANY(%s)", (list(ids),))
        return {bytes(row[0]) for row in found}

    def trim_late(self, stamp: int) -> int:
        """Forget records set aside before `stamp`; how many."""
        return self._database.run(
            lambda connection: (
                connection.execute("DELETE FROM late WHERE stamp < %s", (stamp,)).rowcount
            )
        )

    def trim_ids(self, before: int) -> int:
        """Drop the weeks of ids that end before this time; how many ids."""
        return self._database.alone(lambda connection: drop_ids(connection, before))

    def _move(self, connection: Connection, commit: Commit) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO open_stories VALUES (%s, %s, %s) "
                "ON CONFLICT (scope, experiment) DO UPDATE SET stories = excluded.stories",
                [(self._scope, name, stories) for name, stories in commit.open.items()],
            )
            cursor.executemany(
                "INSERT INTO positions VALUES (%s, %s, %s) "
                "ON CONFLICT (scope, partition) DO UPDATE SET position = excluded.position",
                [(self._scope, partition, at) for partition, at in commit.positions.items()],
            )
            cursor.execute(
                "INSERT INTO progress VALUES (%s, %s, %s) ON CONFLICT (scope) "
                "DO UPDATE SET watermark = excluded.watermark, writer = excluded.writer",
                (self._scope, commit.watermark, self._writer),
            )


def _sums_of(experiment: str | None, strata: Collection[str] | None) -> tuple[str, list[object]]:
    query, values = f"SELECT {_KEY}, {_SUMS} FROM arm_states WHERE true", list[object]()  # noqa: S608
    if experiment is not None:
        query += " AND experiment = %s"
        values.append(experiment)
    if strata is not None:
        query += " AND stratum = ANY(%s)"
        values.append(list(strata))
    return query, values


def _positions(connection: Connection, scope: str) -> Positions:
    query = "SELECT partition, position FROM positions WHERE scope = %s"
    return dict(connection.execute(query, (scope,)).fetchall())


def _must_be(writer: UUID, connection: Connection, scope: str) -> None:
    """StaleError when the last commit of this scope is another's."""
    found = connection.execute("SELECT writer FROM progress WHERE scope = %s", (scope,)).fetchone()
    if found is None or found[0] != writer:
        raise StaleError(f"another process commits as {scope}: one of the two must go")


def _add_sums(connection: Connection, commit: Commit, scope: str) -> None:
    """Add the sums, and one row of history for each arm that they change."""
    if not commit.sums:
        return
    make, copy = _TAKE
    connection.execute(make.encode())
    with connection.cursor() as cursor:
        with cursor.copy(copy.encode()) as rows:
            for key, added in commit.sums.items():
                rows.write_row((*key, *added))
        for query in _ADD:
            cursor.execute(query.encode())
        number = cursor.execute(
            "INSERT INTO commits (scope, watermark) VALUES (%s, %s) RETURNING id",
            (scope, commit.watermark),
        ).fetchone()
        cursor.execute(_HISTORY.encode(), number)


def _count(connection: Connection, commit: Commit) -> None:
    with connection.cursor() as cursor:
        new = [late for late in commit.late if cursor.execute(_LATE, late).rowcount]
        counts = [(*place, value) for place, value in commit.counts.items()]
        cursor.executemany(_COUNT, [*counts, *((late.experiment, "late", 1) for late in new)])
