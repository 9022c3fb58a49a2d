"""All three ports in one SQLite file: the embedded default."""

from croupier.adapters.sqlite.backup import back_up, put_in_place, verify
from croupier.adapters.sqlite.file import DataFileError, Reader
from croupier.adapters.sqlite.log import SqliteLog
from croupier.adapters.sqlite.snapshots import SqliteSnapshots
from croupier.adapters.sqlite.state import SqliteState
from croupier.adapters.sqlite.writer import Writer

__all__ = [
    "DataFileError",
    "Reader",
    "SqliteLog",
    "SqliteSnapshots",
    "SqliteState",
    "Writer",
    "back_up",
    "put_in_place",
    "verify",
]
