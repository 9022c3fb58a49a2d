"""A CSV or Parquet file whose columns have roles: found by name, read row by row."""

import csv
import gzip
import lzma
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from croupier.adapters.trial_files.rows import (
    PART,
    RefusedRows,
    Row,
    UnreadableFileError,
    number_of,
)

ROLES = {
    "action": ("action", "arm", "item_id"),
    "reward": ("reward", "click"),
    "propensity": ("propensity", "propensity_score", "probability"),
    "position": ("position", "slot"),
    "target": ("target", "target_probability"),
    "ranking": ("ranking", "ranking_id", "slate_id"),
    "choice": ("choice", "choice_propensity"),
}
"""What is read, and the names under which each column is looked for."""

NEEDED = ("action", "reward", "propensity")
TRIAL = (*NEEDED, "position", "target")

_BROKEN = (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError, zlib.error)
_OPENERS: dict[str, Callable[..., TextIO]] = {".gz": gzip.open, ".xz": lzma.open}


class RoleTable:
    """The rows of a CSV (.csv, .csv.gz, .csv.xz) or Parquet file; other columns are not read.

    `named` says where columns have other names than usual. `roles` are those that have a column,
    once the head has been read.
    """

    def __init__(
        self,
        file: Path,
        named: Mapping[str, str],
        wanted: Collection[str] = TRIAL,
        needed: Collection[str] = NEEDED,
    ) -> None:
        self._file, self._named, self._wanted, self._needed = file, named, wanted, needed
        self.roles: Collection[str] = ()

    def fits(self) -> bool:
        """Whether the file has the columns that are needed; reads no further than these."""
        try:
            header = next(self._opened())[2]
        except UnreadableFileError:
            return False
        return all(any(name in header for name in self._names(role)) for role in self._needed)

    def read(self, refused: RefusedRows) -> Iterator[tuple[int, Row]]:
        """Each row and its line; `refused` are those of another length, and those that hold others.

        Raises UnreadableFileError when it is no such table.
        """
        rows = self._opened()
        header = next(rows)[2]
        places = self._places(header)
        self.roles, most = places.keys(), max(places.values()) + 1
        numbers = [places[role] for role in ("reward", "propensity") if role in places]
        for line, lines, row in rows:
            if lines > 1 and (held := _rows_in(row, len(header), numbers)):
                told = f"a quoted text of {lines:,} lines, {held:,} of which look like rows"
                refused.refuse(line, "", f"{told}: is a quote not closed?", rows=lines)
            elif not most <= len(row) <= len(header):  # of a longer one, who knows what moved?
                refused.refuse(line, "", f"{len(row)} columns, expected {len(header)}")
            else:
                yield line, _row(row, places)

    def _opened(self) -> Iterator[tuple[int, int, Sequence[Any]]]:
        """Where each row begins, how many lines it has, and its cells; the head comes first."""
        return self._parquet() if self._file.suffix == ".parquet" else self._csv()

    def _names(self, role: str) -> tuple[str, ...]:
        said = self._named.get(role)
        return (said,) if said else ROLES[role]

    def _places(self, header: Sequence[str]) -> dict[str, int]:
        """Where each role stands; raises UnreadableFileError for one missing, or there twice."""
        found = {}
        for role in self._wanted:
            names = self._names(role)
            name = next((name for name in names if name in header), None)
            if name is not None:
                if header.count(name) > 1:
                    raise UnreadableFileError(
                        f"{self._file}: {header.count(name)} columns are named {name!r}: "
                        f"which of them is the {role}? Give the others another name"
                    )
                found[role] = header.index(name)
            elif role in self._named or role in self._needed:
                raise UnreadableFileError(
                    f"{self._file}: no column for {role}: looked for {', '.join(names)} among "
                    f"{', '.join(header[:12])}{' …' if len(header) > 12 else ''}"
                )
        return found

    def _csv(self) -> Iterator[tuple[int, int, Sequence[Any]]]:
        opened, line = _OPENERS.get(self._file.suffix, open), 1
        try:
            with opened(self._file, "rt", encoding="utf-8-sig", newline="") as lines:
                reader = csv.reader(lines, strict=True)
                yield 1, 1, next(reader, [])
                line = reader.line_num + 1
                for row in reader:
                    yield line, reader.line_num + 1 - line, row
                    line = reader.line_num + 1
        except csv.Error as error:
            told = f"from line {line} on: {error}: is a quote not closed?"
            raise UnreadableFileError(f"{self._file}: {told}") from error
        except _BROKEN as error:
            raise UnreadableFileError(f"{self._file}: {error}") from error

    def _parquet(self) -> Iterator[tuple[int, int, Sequence[Any]]]:
        try:
            from pyarrow import ArrowException  # noqa: PLC0415 - an extra
            from pyarrow.parquet import ParquetFile  # noqa: PLC0415
        except ImportError:
            raise UnreadableFileError(
                f"{self._file}: Parquet needs pyarrow: install croupier[parquet]"
            ) from None
        try:
            table, line = ParquetFile(self._file), 1
            header = table.schema_arrow.names
            yield 0, 1, header
            kept = [header[place] for place in self._places(header).values()]
            for batch in table.iter_batches(PART, columns=kept):
                values = {name: batch.column(name).to_pylist() for name in batch.schema.names}
                columns = [values.get(name, [None] * batch.num_rows) for name in header]
                for row in zip(*columns, strict=True):
                    yield line, 1, row
                    line += 1
        except (OSError, ArrowException) as error:
            raise UnreadableFileError(f"{self._file}: {error}") from error


def _rows_in(row: Sequence[str], columns: int, numbers: Collection[int]) -> int:
    r"""How many lines of a quoted text look like rows: as many columns, and numbers where due.

    >>> _rows_in(["a,1,0.5\nb,0,0.5\nb", "0", "0.5"], 3, (1, 2))
    2
    """
    lines = [line.split(",") for cell in row for line in cell.splitlines() if "\n" in cell]
    return sum(
        len(line) == columns and all(number_of(line[place]) is not None for place in numbers)
        for line in lines
    )


def _row(row: Sequence[Any], places: Mapping[str, int]) -> Row:
    """A row by role; what names something is a text without spaces around it."""
    said = {role: row[place] for role, place in places.items()}
    for role in ("action", "position", "ranking"):
        said[role] = "" if said.get(role) is None else str(said[role]).strip()
    return Row(
        arm=said["action"],
        reward=said["reward"],
        propensity=said["propensity"],
        position=said["position"],
        target=said.get("target"),
        ranking=said["ranking"],
        choice=said.get("choice"),
    )
