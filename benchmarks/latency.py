"""How long after a window has closed a snapshot that holds its trial can be read in Redis."""

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from benchmarks.measure import quantile
from benchmarks.report import Row, Skipped, at_most
from benchmarks.table import decision, toml
from benchmarks.told import wall
from croupier.config.services import Services, open_cache, open_stores
from croupier.config.settings import parse_settings
from croupier.core import codec
from croupier.core.experiment import Experiment
from croupier.core.records import IMPRESSION, Event
from croupier.ports import EVENTS, EventLog, SnapshotCache
from tests.services.own import own_services
from tests.services.service import ServiceError
from tests.services.spark import JARS, missing, options

EXPERIMENTS, PARTITIONS, PATIENCE = 20, 2, 300.0
TRIGGERS = {"join": "10s", "observe": "10s", "learn": "5s"}
"""As docs/howto/run-on-spark.md advises."""


def rows(*, quick: bool) -> Iterator[Row | Skipped]:
    yield from _measure("plain processes", 5.0, 1 if quick else 5, [])
    reason = missing()
    if reason:
        yield Skipped("window closed → snapshot in Redis, Spark", reason)
        return
    given = [f"--option={key}={value}" for key, value in options().items() if key != "spark.jars"]
    given += ["--master", "local[2]", "--jars", str(JARS)]
    yield from _measure("Spark at advised triggers", 60.0, 1 if quick else 2, given)


def _measure(name: str, limit: float, probes: int, spark: list[str]) -> Iterator[Row | Skipped]:
    what = f"window closed → snapshot in Redis, {name}"
    text = "".join(
        toml(
            f"probe-{number}",
            5,
            expose_within="150ms",
            window="150ms",
            lateness="100ms",
            session="none",
            refresh="1s",
        )
        for number in range(EXPERIMENTS)
    )
    try:
        with own_services("probe", PARTITIONS) as services, ring(services, text, spark):
            specs = {spec.name: spec for spec in parse_settings(text).experiments}
            spread = 10.0 if spark else 1.0
            with (
                closing(open_stores(services)) as stores,
                closing(open_cache(services.cache)) as cache,
            ):
                waits = probe(stores.log, cache, specs, probes, spread)
    except ServiceError as error:
        yield Skipped(what, str(error))
        return
    note = (
        f"{len(waits)} trials, one at a time in {EXPERIMENTS} experiments; a refresh of 1 s in it"
    )
    yield Row(f"{what}, p50", "s", quantile(waits, 0.5), note=note)
    yield at_most(f"{what}, p95", "s", quantile(waits, 0.95), limit)


@contextmanager
def ring(services: Services, toml: str, spark: list[str]) -> Iterator[None]:
    """join, observe and learn as processes of their own: plain, or on Spark with these options."""
    urls = ["--log", services.log, "--states", services.states, "--cache", services.cache]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "croupier.toml").write_text(toml)
        output = stack.enter_context((folder / "output.log").open("wb"))
        for app, trigger in TRIGGERS.items():
            command = [sys.executable, "-m", "croupier", *(["spark"] if spark else []), app, *urls]
            if spark:
                command += [*spark, "--checkpoints", str(folder / "kept"), "--trigger", trigger]
            child = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
            stack.callback(end, child)
        yield


def end(child: "subprocess.Popen[bytes]") -> None:
    """In good order, if it can."""
    child.terminate()
    try:
        child.wait(60)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def probe(
    log: EventLog,
    cache: SnapshotCache,
    specs: dict[str, Experiment],
    probes: int,
    spread: float,
) -> list[float]:
    """One trial at a time in each experiment; it is there once the version rises.

    The first of each only shows that all of them run.
    """
    dice, end = random.Random(6), time.monotonic() + PATIENCE
    held, left = dict.fromkeys(specs, 0), dict.fromkeys(specs, probes + 1)
    told, starts, waits = dict[str, float](), dict.fromkeys(specs, 0.0), list[float]()
    while any(left.values()):
        if time.monotonic() > end:
            raise RuntimeError(f"no snapshot within {PATIENCE:.0f} s: {len(waits)} came")
        for snapshot in cache.newer(held, 0.02):
            name, now = snapshot.experiment, time.time()
            held[name] = snapshot.version
            if name in told:
                waited = now - told.pop(name)
                left[name] -= 1
                if left[name] < probes:
                    waits.append(waited)
            starts[name] = now + dice.uniform(0, spread)
        for name, spec in specs.items():
            if held[name] and name not in told and left[name] and time.time() >= starts[name]:
                told[name] = tell(log, spec, dice, sum(left.values()))
    return waits


def tell(log: EventLog, spec: Experiment, dice: random.Random, count: int) -> float:
    """An impression of a decision made now; the deadline of its trial."""
    made = decision(spec, dice, wall(), count)
    event = Event(decision=made, kind=IMPRESSION, at=made.at)
    log.append(EVENTS, [codec.encode(event)], [made.tracking_id]).result()
    return (made.at + spec.longest_story) / 1000
