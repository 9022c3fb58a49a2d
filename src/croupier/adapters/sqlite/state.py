"""Arm states, counts, positions and ids in SQLite."""

import sqlite3
from collections.abc import Collection
from itertools import islice

from croupier.adapters.sqlite.file import Reader
from croupier.adapters.sqlite.log import insert_payload
from croupier.core import codec
from croupier.core.arms.sums import StateKey, Sums
from croupier.ports import Commit, StaleError, Standing, already_in

_KEY = (
    "experiment = ? AND arm = ? AND slot = ? AND reward_version = ? AND stratum = ? AND period = ?"
)
_MOST_VALUES = 500
_COUNT = (
    "INSERT INTO counts (experiment, name, value) VALUES (?, ?, ?) "
    "ON CONFLICT DO UPDATE SET value = value + excluded.value"
)


class SqliteState:
    """StateStore over a data file."""

    def __init__(self, file: Reader) -> None:
        self._file = file

    def load(
        self, experiment: str | None = None, *, strata: Collection[str] | None = None
    ) -> Standing:
        """Where learning stands, read in one transaction."""
        where, chosen = ("", ()) if experiment is None else (" WHERE experiment = ?", (experiment,))
        rows = self._file.rows
        rows("BEGIN")
        try:
            watermark = rows("SELECT value FROM progress WHERE name = 'watermark'")
            states = rows(*_sums_of(experiment, strata)) if strata is None or strata else []
            counts = rows(f"SELECT * FROM counts{where}", chosen)  # noqa: S608
            return Standing(
                positions=dict(rows("SELECT * FROM positions")),
                watermark=watermark[0][0] if watermark else 0,
                sums={StateKey(*row[:-1]): Sums.decode(row[-1]) for row in states},
                counts={(name, what): value for name, what, value in counts},
                open=dict(rows(f"SELECT * FROM open{where}", chosen)),  # noqa: S608
            )
        finally:
            rows("COMMIT")

    def commit(self, commit: Commit) -> None:
        """Add one step of the ring in one transaction; UnavailableError changes nothing."""

        def apply(connection: sqlite3.Connection, stamp: int) -> None:
            if already_in(commit, dict(connection.execute("SELECT * FROM positions").fetchall())):
                return
            for topic, records in commit.output.items():
                insert_payload(connection, f"log_{topic}", stamp, codec.join(records))
            _add_ids(connection, commit)
            _add_sums(connection, commit)
            _set_late_aside(connection, commit)
            connection.executemany(
                _COUNT, [(*place, value) for place, value in commit.counts.items()]
            )
            connection.executemany("INSERT OR REPLACE INTO open VALUES (?, ?)", commit.open.items())
            connection.executemany(
                "INSERT OR REPLACE INTO positions VALUES (?, ?)", commit.positions.items()
            )
            connection.execute(
                "INSERT OR REPLACE INTO progress VALUES ('watermark', ?)", (commit.watermark,)
            )

        self._file.submit(apply).result()

    def known(self, ids: Collection[bytes]) -> set[bytes]:
        """Which of these have been committed already; none in a file of before there were ids."""
        found: set[bytes] = set()
        if not self._file.rows("SELECT 1 FROM sqlite_master WHERE name = 'ids'"):
            return found
        source = iter(ids)
        while some := list(islice(source, _MOST_VALUES)):
            marks = ",".join("?" * len(some))
            rows = self._file.rows(f"SELECT id FROM ids WHERE id IN ({marks})", some)  # noqa: S608
            found.update(row[0] for row in rows)
        return found

    def trim_late(self, stamp: int) -> int:
        """Forget records set aside before `stamp`; how many."""

        def delete(connection: sqlite3.Connection, _: int) -> int:
            return connection.execute("DELETE FROM late WHERE stamp < ?", (stamp,)).rowcount

        return self._file.submit(delete).result()

    def trim_ids(self, before: int) -> int:
        """Forget ids of data from before this time; how many."""

        def delete(connection: sqlite3.Connection, _: int) -> int:
            return connection.execute("DELETE FROM ids WHERE at < ?", (before,)).rowcount

        return self._file.submit(delete).result()


def _sums_of(experiment: str | None, strata: Collection[str] | None) -> tuple[str, list[str]]:
    query, values = "SELECT * FROM sums WHERE true", list[str]()
    if experiment is not None:
        query += " AND experiment = ?"
        values.append(experiment)
    if strata is not None:
        query += f" AND stratum IN ({', '.join('?' * len(strata))})"
        values += strata
    return query, values


def _add_ids(connection: sqlite3.Connection, commit: Commit) -> None:
    try:
        connection.executemany("INSERT INTO ids VALUES (?, ?)", commit.ids.items())
    except sqlite3.IntegrityError as error:
        raise StaleError("some of this was added already") from error


def _add_sums(connection: sqlite3.Connection, commit: Commit) -> None:
    for key, added in commit.sums.items():
        row = connection.execute(f"SELECT sums FROM sums WHERE {_KEY}", key).fetchone()  # noqa: S608
        total = Sums.decode(row[0]) + added if row else added
        if any(total):
            connection.execute(
                "INSERT OR REPLACE INTO sums VALUES (?, ?, ?, ?, ?, ?, ?)", (*key, total.encode())
            )
        else:
            connection.execute(f"DELETE FROM sums WHERE {_KEY}", key)  # noqa: S608


def _set_late_aside(connection: sqlite3.Connection, commit: Commit) -> None:
    for late in commit.late:
        new = connection.execute("INSERT OR IGNORE INTO late VALUES (?, ?, ?, ?)", late).rowcount
        if new:
            connection.execute(_COUNT, (late.experiment, "late", 1))
