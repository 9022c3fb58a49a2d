"""The whole loop: events over HTTP → durable → joined → observed → learned, on one core."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.events_in import bodies
from benchmarks.load import press
from benchmarks.measure import CLIENT_CORE, cpu_seconds, isolated
from benchmarks.report import Row, at_least, by_wall
from benchmarks.services import croupier
from benchmarks.table import BATCH, short_stories
from croupier.config.backends import open_backends

CONNECTIONS = 8


def rows(*, quick: bool) -> Iterator[Row]:
    sent = 20_000 if quick else 400_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with croupier(folder, short_stories()) as server:
            data = folder / "croupier.db"
            took, used, behind = isolated(
                drive, server.port, server.pid, data, sent // BATCH, core=CLIENT_CORE
            )
    note = f"{sent:,} events in batches of {BATCH}, stories of 4 s, {behind:,} behind at the end"
    yield at_least("loop, HTTP → learned, per CPU-second", "events", sent / used, 15_000, note)
    yield by_wall("loop, HTTP → learned, per second", "events", sent / took, 15_000)


def drive(port: int, pid: int, data: Path, batches: int) -> tuple[float, float, int]:
    """Wall and CPU seconds until every event that was sent is learned or in an observation."""
    began, before = time.perf_counter(), cpu_seconds([pid])
    press(port, [], bodies(short_stories(), batches, 1), CONNECTIONS, 300.0, b'"rejected":[]')
    backends = open_backends(data, read_only=True)
    behind = _behind(backends.log.ends("events"), backends.states.load().positions)
    while True:
        standing = backends.states.load()
        at_end = not _behind(backends.log.ends("events"), standing.positions)
        if at_end and standing.open.get("short", 0) == 0:
            break
        if time.perf_counter() - began > 300:
            raise RuntimeError(f"not learned in time: {standing.open}")
        time.sleep(0.1)
    assert standing.counts.get(("short", "late"), 0) == 0, "some events came too late"
    took, used = time.perf_counter() - began, cpu_seconds([pid]) - before
    return took - 4.0, used, behind * BATCH


def _behind(ends: dict[int, int], positions: dict[int, int]) -> int:
    return sum(max(0, end - positions.get(partition, 0)) for partition, end in ends.items())
