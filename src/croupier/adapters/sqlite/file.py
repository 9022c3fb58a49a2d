"""A data file: whose it is, which schema, and how it is read."""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from croupier.ports import UnavailableError, UnusableError

T = TypeVar("T")
Job = Callable[[sqlite3.Connection, int], T]
"""What to do in the transaction; the second argument is the append stamp."""

LATER = {2: "CREATE TABLE ids (id BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;"}
"""What each version added to schema.sql, which is version 1: older files are brought up to date."""
SCHEMA_VERSION = max(LATER)
APPLICATION = 0x43524F55  # "CROU"


class DataFileError(UnusableError):
    """The data file cannot be used: not ours, newer than us, or in use."""


class Reader:
    """A data file that somebody else may be writing: every thread gets a connection of its own."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._readers = threading.local()
        self.reader()

    def reader(self) -> sqlite3.Connection:
        """This thread's own read-only connection."""
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is None:
            connection = open_for_reading(self.path)
            self._readers.connection = connection
        return connection

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query; UnavailableError when SQLite cannot read now."""
        try:
            return self.reader().execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise UnavailableError(f"{self.path}: {error}") from error

    def submit(self, job: Job[T]) -> "Future[T]":  # noqa: ARG002 - the writer does it
        """Refuse: the future holds an UnavailableError."""
        future: Future[T] = Future()
        future.set_exception(UnavailableError(f"{self.path} was opened for reading only"))
        return future

    def close(self) -> None:
        """Close this thread's connection; there is nothing to commit."""
        connection: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if connection is not None:
            connection.close()
            del self._readers.connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write; DataFileError when the file is not ours to read."""
    if not path.exists():
        raise DataFileError(f"{path}: no such data file")
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=30)
    except sqlite3.Error as error:
        raise DataFileError(f"{path}: {error}") from error
    check(connection, path)
    return connection


def check(connection: sqlite3.Connection, path: Path) -> None:
    """DataFileError, and the connection closed, unless the file is ours and not newer than us."""
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as error:
        connection.close()
        raise DataFileError(f"{path}: {error}") from error
    if application != APPLICATION:
        connection.close()
        raise DataFileError(f"{path}: a SQLite file, but not one of Croupier's")
    if version > SCHEMA_VERSION:
        connection.close()
        raise DataFileError(f"{path}: written by a newer Croupier (schema {version}); upgrade")
