"""The event log in SQLite: one row a batch, stamped in the transaction."""

import sqlite3
from collections.abc import Sequence
from concurrent.futures import Future

from croupier.adapters.sqlite.file import Reader
from croupier.core import codec
from croupier.ports import TOPICS, Entry, Positions

_TABLES = {topic: f"log_{topic}" for topic in TOPICS}


class SqliteLog:
    """EventLog over a data file; KeyError for a topic that is not one of TOPICS."""

    def __init__(self, file: Reader) -> None:
        self._file = file

    def append(
        self,
        topic: str,
        records: Sequence[bytes],
        keys: Sequence[bytes] | None = None,  # noqa: ARG002 - there is one partition
    ) -> "Future[int]":
        """Append as one row; done, with its stamp, when the row is on disk."""
        table, payload = _TABLES[topic], codec.join(records)

        def insert(connection: sqlite3.Connection, stamp: int) -> int:
            insert_payload(connection, table, stamp, payload)
            return stamp

        return self._file.submit(insert)

    def read(self, topic: str, positions: Positions, limit: int) -> list[Entry]:
        """At most `limit` rows from the position on."""
        rows = self._file.rows(
            f"SELECT 0, offset, stamp, payload FROM {_TABLES[topic]} "  # noqa: S608
            "WHERE offset >= ? ORDER BY offset LIMIT ?",
            (positions.get(0, 0), limit),
        )
        return [Entry(*row) for row in rows]

    def ends(self, topic: str) -> Positions:
        """One behind the last row that was ever appended, trimmed or not."""
        sql = "SELECT seq FROM sqlite_sequence WHERE name = ?"
        rows = self._file.rows(sql, (_TABLES[topic],))
        return {0: rows[0][0] + 1 if rows else 0}

    def since(self, topic: str, stamp: int) -> Positions:
        """The first row stamped at or after `stamp`, or the end."""
        sql = f"SELECT min(offset) FROM {_TABLES[topic]} WHERE stamp >= ?"  # noqa: S608
        first = self._file.rows(sql, (stamp,))[0][0]
        return self.ends(topic) if first is None else {0: first}

    def trim(self, topic: str, stamp: int) -> int:
        """Delete rows stamped before `stamp`; how many."""
        table = _TABLES[topic]

        def delete(connection: sqlite3.Connection, _: int) -> int:
            sql = f"DELETE FROM {table} WHERE stamp < ?"  # noqa: S608
            return connection.execute(sql, (stamp,)).rowcount

        return self._file.submit(delete).result()


def insert_payload(connection: sqlite3.Connection, table: str, stamp: int, payload: bytes) -> None:
    """One row of a log table, within somebody's transaction."""
    sql = f"INSERT INTO {table} (stamp, payload) VALUES (?, ?)"  # noqa: S608
    connection.execute(sql, (stamp, payload))
