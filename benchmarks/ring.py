"""The embedded ring: events that lie in the log → learned, on one core."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import isolated
from benchmarks.report import Row, at_least, by_wall
from benchmarks.table import fill, short_stories
from croupier.config.backends import open_backends
from croupier.config.settings import parse_settings
from croupier.runners.declare import read_declarations
from croupier.runners.ring import Ring

RATE = 20_000
"""Decisions a second of log time: how many stories are open at once."""


class Learned(NamedTuple):
    """What a ring did with a whole log."""

    seconds: float
    cpu: float
    observations: int
    late: int
    open: int


def rows(*, quick: bool) -> Iterator[Row]:
    decisions = 20_000 if quick else 250_000
    for session in ("none", "2s"):
        with tempfile.TemporaryDirectory() as folder:
            settings = parse_settings(short_stories(session))
            path = Path(folder) / "croupier.db"
            filled = fill(path, settings, decisions, decisions * 1_000 // RATE)
            learned = isolated(learn, path)
        assert (learned.observations, learned.late, learned.open) == (decisions, 0, 0), learned
        what = f"ring, events → learned, session {session}"
        yield at_least(
            f"{what}, per CPU-second",
            "events",
            filled.events / learned.cpu,
            30_000,
            note=f"{filled.events:,} events, {decisions:,} observations, a refresh a second",
        )
        yield by_wall(f"{what}, per second", "events", filled.events / learned.seconds, 30_000)


def learn(path: Path) -> Learned:
    """Let a ring turn until the log is read to its end."""
    backends = open_backends(path)
    declarations = read_declarations(backends.log)
    ring = Ring(backends, declarations, declarations.names(), lambda snapshot: None)
    ring.recover()
    began, cpu = time.perf_counter(), time.process_time()
    while ring.step():
        ring.refresh()
    took, used = time.perf_counter() - began, time.process_time() - cpu
    standing = backends.states.load()
    counts = standing.counts
    learned = Learned(
        took,
        used,
        counts.get(("short", "observations"), 0),
        counts.get(("short", "late"), 0),
        standing.open.get("short", 0),
    )
    backends.close()
    return learned
