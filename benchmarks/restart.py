"""Restart with a million open stories: from the saved copy, and by re-reading the log."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import isolated
from benchmarks.report import Row, at_most, by_wall
from benchmarks.services import KEYS
from benchmarks.table import fill, toml
from croupier.config.backends import open_backends
from croupier.config.keys import load_keys
from croupier.config.settings import parse_settings
from croupier.core.duration import MINUTE
from croupier.runners import open_stories
from croupier.runners.declare import read_declarations
from croupier.runners.embedded import Embedded
from croupier.runners.ring import Ring

SPAN = 15 * MINUTE
"""Less than a story lasts by default (21 minutes), so that all are open at the end."""


class Restarted(NamedTuple):
    """How long it took until the ring could go on, and what was open then."""

    seconds: float
    cpu: float
    stories: int


def rows(*, quick: bool) -> Iterator[Row]:
    stories = 20_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "croupier.db"
        saving = isolated(prepare, path, stories)
        copy = path.with_name(path.name + ".open")
        size = copy.stat().st_size / 1e6
        saved = isolated(restart, path)
        copy.unlink()
        read = isolated(restart, path)
    for restarted in (saved, read):
        assert restarted.stories == stories, restarted
    for how, took in (("saved copy", saved), ("re-reading the log", read)):
        what = f"restart with {stories:,} open stories, {how}"
        yield at_most(what, "s CPU", took.cpu, 10.0)
        yield by_wall(what, "s", took.seconds, 10.0)
    yield Row("saving that copy, which stops the ring", "s", saving, note=f"{size:.0f} MB")


def prepare(path: Path, stories: int) -> float:
    """A data file whose log was read to its end, with its copy of the open stories."""
    fill(path, parse_settings(toml("top-button", 5)), stories, SPAN)
    backends = open_backends(path)
    declarations = read_declarations(backends.log)
    ring = Ring(backends, declarations, declarations.names(), lambda snapshot: None)
    ring.recover()
    while ring.step():
        pass
    began = time.perf_counter()
    open_stories.save(backends, ring.positions, ring.join, ring.observe)
    took = time.perf_counter() - began
    backends.close()
    return took


def restart(path: Path) -> Restarted:
    """What `croupier up` does before it listens."""
    settings = parse_settings(toml("top-button", 5))
    began, cpu = time.perf_counter(), time.process_time()
    embedded = Embedded(settings, open_backends(path), load_keys(path, os.environ | KEYS))
    embedded.ring.recover()
    took, used = time.perf_counter() - began, time.process_time() - cpu
    stories = len(embedded.ring.join.stage.open)
    embedded.stop()
    return Restarted(took, used, stories)
