"""UTC days, and the files of a table by day and experiment."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from croupier.config.row_files import OpenTable, Table
from croupier.core.columns import Column
from croupier.core.duration import DAY

_TELL_EVERY = 100_000


class Span(NamedTuple):
    """Days from `since` on, up to but not including `until`; numbers of days since 1970."""

    since: int = 0
    until: int = 2**31

    def holds(self, day: int) -> bool:
        """Whether a day is one of them."""
        return self.since <= day < self.until


class Sheet(NamedTuple):
    """A table for analysts: its folder and its columns."""

    name: str
    columns: Sequence[Column]


class Written(NamedTuple):
    """What became of one file: rows, and whether an older one that held more was left there."""

    sheet: str
    path: Path
    rows: int
    kept: bool


class Files:
    """Writes tables below a folder, and remembers what it wrote."""

    def __init__(
        self, out: Path, open_table: OpenTable, progress: Callable[[str], None] = lambda _: None
    ) -> None:
        self._out, self._open, self.progress = out, open_table, progress
        self.written: list[Written] = []

    def day(self, day: int, *, whole: bool = True) -> "DayFiles":
        """The files of one day; unless the day is `whole`, a file that is there is left alone."""
        return DayFiles(self, day, whole=whole)

    def path(self, sheet: Sheet, day: int, experiment: str) -> Path:
        """Where the rows of a day are."""
        return self._out / sheet.name / f"day={day_text(day)}" / f"{experiment}.parquet"

    def begin(self, sheet: Sheet, path: Path) -> Table:
        """A file that is being written."""
        return self._open(path, sheet.columns)

    def note(self, one: Written) -> None:
        """Remember, and tell, what became of a file."""
        self.written.append(one)
        self.progress(f"{one.path}: {'kept' if one.kept else f'{one.rows:,} rows'}")


class DayFiles:
    """The tables of one day: each put in place whole at the end, or not touched."""

    def __init__(self, files: Files, day: int, *, whole: bool) -> None:
        self._files, self._day = files, day
        self.whole = whole
        self._tables: dict[tuple[str, str], tuple[Sheet, Path, Table]] = {}

    def add(self, sheet: Sheet, experiment: str, row: Sequence[object]) -> None:
        """One row of a table."""
        place = sheet.name, experiment
        if place not in self._tables:
            path = self._files.path(sheet, self._day, experiment)
            self._tables[place] = sheet, path, self._files.begin(sheet, path)
        _, path, table = self._tables[place]
        table.add(row)
        if table.rows % _TELL_EVERY == 0:
            self._files.progress(f"{path}: {table.rows:,} rows so far")

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        """Put the files in place, or nothing at all."""
        try:
            if kind is None:
                for sheet, path, table in self._tables.values():
                    kept = not self.whole and path.exists()
                    if not kept:
                        table.close()
                    self._files.note(Written(sheet.name, path, table.rows, kept))
        finally:
            for begun in self._tables.values():
                begun[-1].discard()


def day_of(at: int) -> int:
    """The day of a time in milliseconds.

    >>> day_text(day_of(1_795_305_600_000))
    '2026-11-22'
    """
    return at // DAY


def day_text(day: int) -> str:
    """A day as people write it."""
    return datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()


def read_day(text: str) -> int:
    """The number of a day; ValueError unless it is such as 2026-11-22.

    >>> read_day("1970-01-03")
    2
    """
    return (date.fromisoformat(text) - date(1970, 1, 1)).days
