"""The adapters that a URL names; the only place that knows them by name."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from croupier.adapters.memory import MemoryLog, MemorySnapshots, MemoryState, MemoryStories
from croupier.adapters.sqlite import (
    DataFileError,
    Reader,
    SqliteLog,
    SqliteSnapshots,
    SqliteState,
    Writer,
    verify,
)
from croupier.adapters.stories import StoryFile
from croupier.clock import Clock
from croupier.config.errors import ConfigError
from croupier.ports import EventLog, OpenStories, SnapshotCache, StateStore

__all__ = ["Backends", "DataFileError", "open_backends", "verify"]


class Backends(NamedTuple):
    """The outside world in one value: the clock, the ports, and how to let go of them."""

    clock: Clock
    log: EventLog
    states: StateStore
    cache: SnapshotCache
    stories: OpenStories
    close: Callable[[], None]


def data_file(url: str) -> Path:
    """The file that a path or a sqlite:/// URL names; ConfigError for anything else.

    >>> data_file("sqlite:///shop.db").name
    'shop.db'
    """
    path = url.removeprefix("sqlite:///")
    if "://" in path:
        scheme = path.partition("://")[0]  # what follows may hold a password
        raise ConfigError(
            f"data: {scheme}://…: expected the data file of `croupier up`, a path or sqlite:///file"
        )
    if Path(path).is_dir():
        raise ConfigError(f"data: {url!r} is a folder; name a file in it")
    return Path(path).resolve()


def open_backends(
    url: str | Path, *, read_only: bool = False, clock: Clock | None = None
) -> Backends:
    """The adapters that a URL names: `memory://`, `sqlite:///file`, or the path of a file.

    Read-only, a file may be looked at while another process writes to it. A simulation brings a
    clock of its own.

    Raises DataFileError when the file cannot be used, ConfigError for another scheme.
    """
    clock, text = clock or Clock(), str(url)
    if text == "memory://":
        log = MemoryLog(clock)
        return Backends(
            clock, log, MemoryState(log), MemorySnapshots(), MemoryStories(), lambda: None
        )
    path = data_file(text)
    file = Reader(path) if read_only else Writer(path, clock)
    stories = StoryFile(path.with_name(path.name + ".open"))
    return Backends(
        clock, SqliteLog(file), SqliteState(file), SqliteSnapshots(file), stories, file.close
    )
