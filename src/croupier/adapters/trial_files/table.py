"""CSV and Parquet: one row a round, columns by role; Open Bandit too."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from croupier.adapters.trial_files.roles import RoleTable
from croupier.adapters.trial_files.rows import Rows
from croupier.core.evaluate.targets import Logged


class TableLog(Rows):
    """A log in a CSV (.csv, .csv.gz) or Parquet file; other columns are context, and not read."""

    def __init__(self, file: Path, named: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._table = RoleTable(file, dict(named or {}))

    def fits(self) -> bool:
        """Whether the file has the columns that are needed; reads no further than these."""
        return self._table.fits()

    def parts(self) -> Iterator[Logged]:
        """The rounds of the file; raises UnreadableFileError when it is no such table."""
        self.restart()
        for line, row in self._table.read(self):
            self.add(line, row)
            if self.full:
                yield self.take(with_target="target" in self._table.roles)
        yield self.take(with_target="target" in self._table.roles)
