"""The log's own entries in Parquet files, read where the log was trimmed."""

from croupier.adapters.archive.log import ArchivedLog
from croupier.adapters.archive.stretch import entries_of, stretches_of

__all__ = ["ArchivedLog", "entries_of", "stretches_of"]
