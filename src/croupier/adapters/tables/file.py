"""A table in a CSV or JSON file."""

from collections.abc import Mapping
from pathlib import Path

from croupier.adapters.tables.text import MOST_BYTES, read_rows
from croupier.ports import UnavailableError


class FileTable:
    """Table over a file, read anew each time; replace the file whole, by renaming."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self) -> list[Mapping[str, object]]:
        """Every row."""
        try:
            with self._path.open("rb") as file:
                body = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise UnavailableError(f"{self._path}: {error.strerror or error}") from error
        if len(body) > MOST_BYTES:
            raise UnavailableError(f"{self._path}: larger than {MOST_BYTES} bytes")
        is_json = {".json": True, ".csv": False}.get(self._path.suffix.lower())
        return read_rows(body, str(self._path), is_json=is_json)
