"""Files of rows: Parquet to write, CSV or Parquet to read."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Protocol

from croupier.config.errors import ConfigError
from croupier.core.columns import Column

PARQUET = (".parquet", ".pq")


class Table(Protocol):
    """One file of rows, which is not there before it is whole."""

    rows: int

    def add(self, row: Sequence[object]) -> None:
        """One row, a value a column (None: nothing is known)."""

    def close(self) -> None:
        """Put the file in place of the one before, if it has any rows."""

    def discard(self) -> None:
        """Leave everything as it was."""


class OpenTable(Protocol):
    """How a file of rows is begun."""

    def __call__(self, path: Path, columns: Sequence[Column]) -> Table:
        """A table that will be the file at `path`; its folder is made."""


def open_tables() -> OpenTable:
    """How Parquet files are written; ConfigError when pyarrow is not installed."""
    write: OpenTable = _parquet().ParquetTable
    return write


def a_file(path: Path) -> Path:
    """The path, if it is of a file that can be read twice; ConfigError says what it is instead."""
    if path.is_file():
        return path
    what = "is a folder, not a file" if path.is_dir() else "is no ordinary file"
    raise ConfigError(f"{path}: {what if path.exists() else 'no such file'}")


def read_table(path: Path) -> Iterator[list[str]]:
    """The names of the columns, then the rows, as texts; an absent value is an empty one.

    ConfigError when the file cannot be read.
    """
    try:
        if path.suffix.lower() in PARQUET:
            for row in _parquet().read_parquet(path):
                yield list(map(_text, row))
        else:
            yield from _csv_rows(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8: {error.reason}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def _csv_rows(path: Path) -> Iterator[list[str]]:
    """The rows that are not empty; ValueError names the line where one begins that has no end."""
    line = 1
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            for row in reader:
                line = reader.line_num + 1
                if row:
                    yield row
        except csv.Error as error:
            told = f"from line {line} on: {error}: is a quote not closed?"
            raise ValueError(told) from error


def _text(value: object) -> str:
    """A value as CSV has it: not a number, as pandas writes what is absent, is absent.

    >>> [_text(each) for each in (None, float("nan"), 0.1, 3, date(2026, 11, 22))]
    ['', '', '0.1', '3', '2026-11-22']
    """
    if value is None or value != value:  # noqa: PLR0124 - NaN alone differs from itself
        return ""
    return value.isoformat() if isinstance(value, date) else str(value)


@contextmanager
def parquet_there() -> Iterator[None]:
    """While what reads or writes Parquet is imported; ConfigError says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"Parquet needs {error.name}, which is not installed: pip install 'croupier[parquet]'"
        ) from None


def _parquet() -> ModuleType:
    with parquet_there():
        from croupier.adapters import parquet  # noqa: PLC0415 - pyarrow is an extra
    return parquet
