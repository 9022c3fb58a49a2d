"""Each technology behind the ports, opened on nothing, closed, and opened again on what is left.

A new technology is one entry in TECHNOLOGIES: every contract then runs over it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from croupier.adapters.memory import MemoryLog, MemorySnapshots, MemoryState
from croupier.adapters.sqlite import SqliteLog, SqliteSnapshots, SqliteState, Writer
from croupier.ports import EventLog, SnapshotCache, StateStore
from tests.laws.streams import HandClock

START = 1_763_750_000_000


class Opened(NamedTuple):
    """The three ports of one technology, over one clock."""

    clock: HandClock
    log: EventLog
    states: StateStore
    cache: SnapshotCache
    close: Callable[[], None]


class Technology(NamedTuple):
    """How to open it in a folder, and whether what it holds outlives it."""

    open: Callable[[Path, HandClock], Opened]
    lasts: bool


def _memory(_: Path, clock: HandClock) -> Opened:
    log = MemoryLog(clock)
    return Opened(clock, log, MemoryState(log), MemorySnapshots(), lambda: None)


def _sqlite(folder: Path, clock: HandClock) -> Opened:
    writer = Writer(folder / "croupier.db", clock)
    return Opened(
        clock, SqliteLog(writer), SqliteState(writer), SqliteSnapshots(writer), writer.close
    )


TECHNOLOGIES = {
    "memory": Technology(_memory, lasts=False),
    "sqlite": Technology(_sqlite, lasts=True),
}
