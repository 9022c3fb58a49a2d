"""A table, or the answer to a query, in a SQLite database that is only read."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from croupier.adapters.tables.text import MOST_ROWS
from croupier.ports import UnavailableError

_SECONDS = 5.0


class DatabaseTable:
    """Table over a SQLite file, by the name of a table or by a query."""

    def __init__(self, path: Path, *, table: str = "", query: str = "") -> None:
        quoted = table.replace('"', '""')
        self._path = path
        self._sql = query or f'SELECT * FROM "{quoted}"'  # noqa: S608 - quoted, and the owner's own

    def rows(self) -> list[Mapping[str, object]]:
        """Every row."""
        address = f"{self._path.absolute().as_uri()}?mode=ro"
        try:
            with closing(sqlite3.connect(address, uri=True, timeout=_SECONDS)) as connection:
                connection.row_factory = sqlite3.Row
                found = connection.execute(self._sql).fetchmany(MOST_ROWS + 1)
        except sqlite3.Error as error:
            raise UnavailableError(f"{self._path}: {error}") from error
        if len(found) > MOST_ROWS:
            raise UnavailableError(f"{self._path}: at most {MOST_ROWS} rows are read")
        return [dict(row) for row in found]
