"""All three ports in one SQLite file: the embedded default."""

from croupier.adapters.sqlite.log import SqliteLog
from croupier.adapters.sqlite.snapshots import SqliteSnapshots
from croupier.adapters.sqlite.state import SqliteState
from croupier.adapters.sqlite.writer import DataFileError, Writer

__all__ = ["DataFileError", "SqliteLog", "SqliteSnapshots", "SqliteState", "Writer"]
