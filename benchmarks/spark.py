"""Spark's join and observe: processor time an event, JVM and Python together. Informs only."""

import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.report import Row, Skipped
from croupier.config.services import Services, open_stores
from croupier.config.spark import SparkSettings
from croupier.core import codec
from croupier.core.declarations import Declarations
from croupier.core.experiment import Experiment
from croupier.core.records import Decision, Event, Tick
from croupier.core.reward import Reward, Term
from croupier.ports import ARMS, EVENTS, OBSERVATIONS
from croupier.runners.spark.process import run_folding
from tests.services.own import own_services
from tests.services.service import ServiceError
from tests.services.spark import missing, options

WHAT, BATCH, WARM = "Spark: join and observe", 100, 2_000
TICKS = os.sysconf("SC_CLK_TCK")


def rows(*, quick: bool) -> Iterator[Row | Skipped]:
    if missing():
        yield Skipped(WHAT, missing())
        return
    try:
        with own_services("bench", 2) as services, tempfile.TemporaryDirectory() as folder:
            yield from _measure(services, Path(folder), 10_000 if quick else 100_000)
    except ServiceError as error:
        yield Skipped(WHAT, str(error))


def _measure(services: Services, folder: Path, decisions: int) -> Iterator[Row]:
    """Once to warm up, for a session costs some 20 s of processor time; then what is measured."""
    spark = SparkSettings(str(folder / "spark"), "now", 20_000, 16, "local[2]", options("2g"))
    for count in (WARM, decisions):
        events = _fill(services, count)
        found = []
        for app in ("join", "observe"):
            began, cpu = time.monotonic(), _cpu()
            run_folding(app, services, spark, threading.Event(), recover=False)
            found.append((app, _cpu() - cpu, time.monotonic() - began))
    note = f"{events:,} events in messages of {BATCH}, 2 partitions, 32 buckets, two cores"
    for app, used, took in found:
        yield Row(f"Spark {app}: events per CPU-second", "events", events / used, note=note)
        yield Row(f"Spark {app}: CPU an event", "µs", used / events * 1e6)
        yield Row(f"Spark {app}: events per second", "events", events / took)


def _fill(services: Services, decisions: int) -> int:
    """An impression of each, a click of half, and all stories over."""
    spec = Experiment(
        "b",
        ("x", "y"),
        "x",
        Reward({"click": Term(1.0)}),
        expose_within=1_000,
        window=1_000,
        lateness=30_000,
        session=None,
    )
    stores, dice = open_stores(services), random.Random(1)
    try:
        book, now = Declarations(), int(time.time() * 1000)
        changes = list(book.changes(spec, 0))
        if not stores.log.ends(ARMS)[0]:
            stores.log.append(ARMS, [codec.encode(one) for one in changes]).result()
        events = []
        for _ in range(decisions):
            at = now + 3_000 - dice.randrange(3_000)
            decision = Decision(
                tracking_id=at.to_bytes(6, "big") + dice.randbytes(9),
                experiment="b",
                unit=dice.randbytes(16),
                session=0,
                declaration=1,
                snapshot=1,
                slate=(0,),
                propensities=(0.5,),
            )
            events.append(Event(decision=decision, kind="impression", at=at))
            if dice.random() < 0.5:
                events.append(Event(decision=decision, kind="click", at=at + 500))
        for place in range(0, len(events), BATCH):
            some = events[place : place + BATCH]
            keys = [one.decision.tracking_id for one in some]
            last = stores.log.append(EVENTS, [codec.encode(one) for one in some], keys)
        last.result()
        time.sleep(max(0, now + 37_000 - time.time() * 1000) / 1000)
        stores.log.append(EVENTS, [codec.encode(Tick())]).result()
        assert stores.log.ends(OBSERVATIONS)
        return len(events)
    finally:
        stores.close()


def _cpu() -> float:
    """Seconds that this process and all below it have used, those that have ended included."""
    total, below = 0.0, [os.getpid()]
    while below:
        pid = below.pop()
        try:
            used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
            tasks = list(Path(f"/proc/{pid}/task").iterdir())
            below += [int(one) for each in tasks for one in (each / "children").read_text().split()]
        except OSError:
            continue
        total += sum(map(int, used)) / TICKS
    return total
