"""The archive of a log: the folder that `croupier export --what entries` writes."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from croupier.config.backends import Backends
from croupier.config.errors import ConfigError
from croupier.config.row_files import parquet_there
from croupier.ports import Entry

ENTRIES = "entries"
"""The folder of the archive in the folder of an export."""


def with_archive(backends: Backends, folder: Path) -> Backends:
    """The same data file, its log read from the archive where it was trimmed.

    ConfigError where there is no archive; UnusableError where it is damaged, or not of this log.
    """
    place = folder / ENTRIES
    if not place.is_dir():
        raise ConfigError(
            f"{folder}: no archive, which has a folder {ENTRIES!r}: "
            f"`croupier export --what {ENTRIES} --out {folder}` writes one"
        )
    return backends._replace(log=_archive().ArchivedLog(place, backends.log))


def read_archived(path: Path, topic: str) -> Iterator[Entry]:
    """The entries of one file of a topic, in order; UnusableError where it is damaged."""
    entries: Iterator[Entry] = _archive().entries_of(path, topic)
    return entries


def _archive() -> ModuleType:
    with parquet_there():
        from croupier.adapters import archive  # noqa: PLC0415 - pyarrow is an extra
    return archive
