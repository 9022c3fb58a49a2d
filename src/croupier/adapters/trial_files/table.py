"""CSV and Parquet: one row a round, columns by role; Open Bandit too."""

import csv
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from croupier.adapters.trial_files.rows import PART, Row, Rows, UnreadableFileError
from croupier.core.evaluate.targets import Logged

ROLES = {
    "action": ("action", "arm", "item_id"),
    "reward": ("reward", "click"),
    "propensity": ("propensity", "propensity_score", "probability"),
    "position": ("position", "slot"),
    "target": ("target", "target_probability"),
}
"""What is read, and the names under which each column is looked for."""

_BROKEN = (OSError, EOFError, UnicodeDecodeError, csv.Error, lzma.LZMAError, zlib.error)
_NEEDED = ("action", "reward", "propensity")
_OPENERS: dict[str, Callable[..., TextIO]] = {".gz": gzip.open, ".xz": lzma.open}


class TableLog(Rows):
    """A log in a CSV (.csv, .csv.gz) or Parquet file; other columns are context, and not read."""

    def __init__(self, file: Path, named: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._file, self._named = file, dict(named or {})

    def fits(self) -> bool:
        """Whether the file has the columns that are needed; reads no further than these."""
        try:
            rows = self._parquet() if self._file.suffix == ".parquet" else self._csv()
            return bool(self._places([str(name) for name in next(rows)[1]]))
        except UnreadableFileError:
            return False

    def parts(self) -> Iterator[Logged]:
        """The rounds of the file; raises UnreadableFileError when it is no such table."""
        self.restart()
        rows = self._parquet() if self._file.suffix == ".parquet" else self._csv()
        _, header = next(rows)
        places = self._places([str(name) for name in header])
        width, target = len(header), "target" in places
        needed = max(places.values()) + 1
        for line, row in rows:
            if len(row) < needed:
                self.refuse(line, "", f"{len(row)} columns, expected {width}")
                continue
            self.add(line, _row(row, places))
            if self.full:
                yield self.take(with_target=target)
        yield self.take(with_target=target)

    def _places(self, header: list[str]) -> dict[str, int]:
        """Where each role stands; raises UnreadableFileError for what is needed and missing."""
        found = {}
        for role, usual in ROLES.items():
            said = self._named.get(role)
            names = (said,) if said else usual
            name = next((name for name in names if name in header), None)
            if name is not None:
                found[role] = header.index(name)
            elif said or role in _NEEDED:
                raise UnreadableFileError(
                    f"{self._file}: no column for {role}: looked for {', '.join(names)} among "
                    f"{', '.join(header[:12])}{' …' if len(header) > 12 else ''}"
                )
        return found

    def _csv(self) -> Iterator[tuple[int, Sequence[Any]]]:
        opened = _OPENERS.get(self._file.suffix, open)
        try:
            with opened(self._file, "rt", encoding="utf-8-sig", newline="") as lines:
                reader = csv.reader(lines)
                yield 1, next(reader, [])
                for row in reader:
                    yield reader.line_num, row
        except _BROKEN as error:
            raise UnreadableFileError(f"{self._file}: {error}") from error

    def _parquet(self) -> Iterator[tuple[int, Sequence[Any]]]:
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
            yield 0, header
            kept = [*self._places(header).items()]
            for batch in table.iter_batches(PART, columns=[header[place] for _, place in kept]):
                values = {name: batch.column(name).to_pylist() for name in batch.schema.names}
                columns = [values.get(name, [None] * batch.num_rows) for name in header]
                for row in zip(*columns, strict=True):
                    yield line, row
                    line += 1
        except (OSError, ArrowException) as error:
            raise UnreadableFileError(f"{self._file}: {error}") from error


def _row(row: Sequence[Any], places: Mapping[str, int]) -> Row:
    arm, position = row[places["action"]], places.get("position")
    target = places.get("target")
    return Row(
        arm="" if arm is None else str(arm).strip(),
        reward=row[places["reward"]],
        propensity=row[places["propensity"]],
        position="" if position is None else str(row[position]).strip(),
        target=None if target is None else row[target],
    )
