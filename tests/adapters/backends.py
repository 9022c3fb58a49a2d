"""Each technology behind the ports, opened on nothing, closed, and opened again on what is left.

A new technology is one entry in TECHNOLOGIES: the contracts of its ports then run over it. What it
does not provide is there in memory.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

from croupier.adapters.archive import ArchivedLog
from croupier.adapters.durable import DurableSnapshots
from croupier.adapters.kafka import Cluster, KafkaLog
from croupier.adapters.memory import MemoryLog, MemorySnapshots, MemoryState
from croupier.adapters.postgres import Database, PostgresSnapshots, PostgresState
from croupier.adapters.redis import RedisSnapshots
from croupier.adapters.sqlite import SqliteLog, SqliteSnapshots, SqliteState, Writer
from croupier.config.archive import ENTRIES
from croupier.config.row_files import open_tables
from croupier.ports import EventLog, SnapshotCache, StateStore
from croupier.runners.export.days import Files, Span
from croupier.runners.export.entries import export_entries
from tests.laws.streams import HandClock
from tests.services.fixtures import URLS
from tests.services.servers import Kafka, Postgres, Redis
from tests.services.service import Service

START = 1_763_750_000_000
LOG, STATES, CACHE = "log", "states", "cache"


class Opened(NamedTuple):
    """The three ports of one technology, over one clock."""

    clock: HandClock
    log: EventLog
    states: StateStore
    cache: SnapshotCache
    close: Callable[[], None]


class Technology(NamedTuple):
    """How to open it in a folder, which ports it provides, what it is like.

    `lasts`: what it holds outlives it; `ours`: its stamps are of our clock; `parts`: how many
    partitions; `keeps`: what was trimmed is read on; `service`: what has to run.
    """

    open: Callable[[Path, HandClock], Opened]
    ports: str = "log states cache"
    lasts: bool = True
    ours: bool = True
    parts: int = 1
    shared: bool = True
    keeps: bool = False
    service: type[Service] | None = None


class Ticking(HandClock):
    """For a technology with a clock of its own: when ours is set, time passes."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "wall":
            time.sleep(0.004)
        super().__setattr__(name, value)


def _memory(_: Path, clock: HandClock) -> Opened:
    log = MemoryLog(clock)
    return Opened(clock, log, MemoryState(log), MemorySnapshots(), lambda: None)


def _sqlite(folder: Path, clock: HandClock) -> Opened:
    writer = Writer(folder / "croupier.db", clock)
    return Opened(
        clock, SqliteLog(writer), SqliteState(writer), SqliteSnapshots(writer), writer.close
    )


def unique(folder: Path) -> str:
    """A name that is this folder's own, for as long as it exists."""
    file = folder / "name"
    if not file.exists():
        file.write_text(f"t{uuid.uuid4().hex[:12]}")
    return file.read_text()


def kafka(folder: Path, partitions: int = 1, patience: float = 10.0) -> KafkaLog:
    servers = URLS[Kafka].removeprefix("kafka://")
    return KafkaLog(Cluster(servers, unique(folder), partitions, patience=patience))


def postgres(folder: Path) -> Database:
    return Database(URLS[Postgres], unique(folder))


def redis(folder: Path) -> RedisSnapshots:
    return RedisSnapshots(URLS[Redis], unique(folder))


def _kafka(folder: Path, clock: HandClock) -> Opened:
    beside, log = _memory(folder, Ticking(clock.wall)), kafka(folder)
    return beside._replace(log=log, close=log.close)


def _postgres(folder: Path, clock: HandClock) -> Opened:
    database = postgres(folder)
    return _memory(folder, clock)._replace(
        states=PostgresState(database), cache=PostgresSnapshots(database), close=database.close
    )


def _redis(folder: Path, clock: HandClock) -> Opened:
    cache = redis(folder)
    return _memory(folder, clock)._replace(cache=cache, close=cache.close)


class Archiving:
    """Each append is archived, and all but what came with the newest stamp is trimmed."""

    def __init__(self, folder: Path, live: EventLog) -> None:
        self._folder, self._live = folder, live

    def append(
        self, topic: str, records: Sequence[bytes], keys: Sequence[bytes] | None = None
    ) -> "Future[int]":
        done = self._live.append(topic, records, keys)
        stamp = done.result(10)
        export_entries(self._live, Span(), Files(self._folder, open_tables()))
        self._live.trim(topic, stamp)
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(ArchivedLog(self._folder / ENTRIES, self._live), name)


def _archived(folder: Path, clock: HandClock) -> Opened:
    opened = _sqlite(folder, clock)
    return opened._replace(log=cast("EventLog", Archiving(folder, opened.log)))


def _durable(folder: Path, clock: HandClock) -> Opened:
    cache = DurableSnapshots(MemorySnapshots(), MemorySnapshots())
    return _memory(folder, clock)._replace(cache=cache)


TECHNOLOGIES = {
    "memory": Technology(_memory, lasts=False),
    "sqlite": Technology(_sqlite),
    "archived": Technology(_archived, LOG, keeps=True),
    "durable": Technology(_durable, CACHE, lasts=False),
    "kafka": Technology(_kafka, LOG, ours=False, service=Kafka),
    "postgres": Technology(_postgres, "states cache", shared=False, service=Postgres),
    "redis": Technology(_redis, CACHE, service=Redis),
}


def members(port: str, **wanted: object) -> list[object]:
    """The technologies that provide a port and are as wanted, as pytest's parameters."""
    return [
        pytest.param(name, marks=[pytest.mark.services] if technology.service else [])
        for name, technology in TECHNOLOGIES.items()
        if port in technology.ports.split()
        and all(getattr(technology, what) == value for what, value in wanted.items())
    ]
