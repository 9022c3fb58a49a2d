"""The adapters that a URL names; the only place that knows them by name."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from croupier.adapters.memory import MemoryLog, MemorySnapshots, MemoryState
from croupier.adapters.sqlite import SqliteLog, SqliteSnapshots, SqliteState, Writer
from croupier.clock import Clock
from croupier.config.errors import ConfigError
from croupier.ports import EventLog, SnapshotCache, StateStore


class Backends(NamedTuple):
    """The outside world in one value: the clock, the three ports, and how to let go of them."""

    clock: Clock
    log: EventLog
    states: StateStore
    cache: SnapshotCache
    close: Callable[[], None]


def open_backends(url: str | Path) -> Backends:
    """The adapters that a URL names: `memory://`, `sqlite:///file`, or the path of a file.

    Raises DataFileError when the file cannot be used, ConfigError for another scheme.
    """
    clock, text = Clock(), str(url)
    if text == "memory://":
        log = MemoryLog(clock)
        return Backends(clock, log, MemoryState(log), MemorySnapshots(), lambda: None)
    path = text.removeprefix("sqlite:///")
    if "://" in path:
        raise ConfigError(f"data: {text!r}: expected a path, sqlite:///file or memory://")
    writer = Writer(path, clock)
    return Backends(
        clock, SqliteLog(writer), SqliteState(writer), SqliteSnapshots(writer), writer.close
    )
