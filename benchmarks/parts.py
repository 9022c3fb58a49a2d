"""The distributed ring, process by process: what a CPU-second handles of a log. Informs only."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from benchmarks.kafka import Rate, on_disk, timed
from benchmarks.report import Row, Skipped
from benchmarks.table import BATCH, short_stories
from benchmarks.told import batches, let_pass, tell, wall
from croupier.config.services import Stores, open_stores
from croupier.config.settings import parse_settings
from croupier.ports import EVENTS, FUNNELS, OBSERVATIONS
from croupier.runners.declare import declare
from croupier.runners.distributed.learning import Learner
from croupier.runners.distributed.parts import JoinPart, ObservePart
from croupier.runners.distributed.worker import Worker
from croupier.runners.history import History
from tests.services.own import Start, own_servers, services_on
from tests.services.servers import Kafka
from tests.services.service import ServiceError

PARTITIONS = 4


def rows(*, quick: bool) -> Iterator[Row | Skipped]:
    decisions = 5_000 if quick else 100_000
    try:
        with own_servers() as start:
            yield from whole(start, decisions)
            yield from single(start, decisions // 4)
    except ServiceError as error:
        yield Skipped("join, observe, learn", str(error))


def whole(start: Start, decisions: int) -> Iterator[Row]:
    """Each process alone, one after the other, until there is nothing left to do."""
    with told(start, "bench", decisions, BATCH) as (stores, sent):
        history, stop, parts = History(stores.log), threading.Event(), list(range(PARTITIONS))
        note = f"{sent:,} events in appends of {BATCH}, {PARTITIONS} partitions, one process"
        for app, part in (("join", JoinPart), ("observe", ObservePart)):
            worker = Worker(app, part, stores, history, parts, parts, stop)
            worker.recover()
            used = until_done(worker.step)
            yield Row(f"{app}, per CPU-second", "events", sent / used.cpu, note=note)
            yield Row(f"{app}, per second", "events", sent / used.wall)
        learner = Learner(stores, history, stop)
        learner.recover()
        used = until_done(learner.step)
        learned = stores.states("learn").load().counts["short", "observations"]
        assert learned == decisions, (learned, decisions)
        yield Row("learn, per CPU-second", "trials", learned / used.cpu, note=f"{learned:,} trials")
        yield Row("learn, per second", "trials", learned / used.wall)
    for topic in (EVENTS, FUNNELS, OBSERVATIONS):
        size = on_disk(start(Kafka).folder, f"bench.{topic}") / decisions
        yield Row(f"{topic}: a decision on the broker's disk", "bytes", size)


def single(start: Start, decisions: int) -> Iterator[Row]:
    """Join again, where each event came in a request of its own."""
    with told(start, "single", decisions, 1) as (stores, sent):
        history, stop, parts = History(stores.log), threading.Event(), list(range(PARTITIONS))
        worker = Worker("join", JoinPart, stores, history, parts, parts, stop)
        worker.recover()
        used = until_done(worker.step)
    what, note = "join, appends of 1", f"{sent:,} events"
    yield Row(f"{what}, per CPU-second", "events", sent / used.cpu, note=note)
    yield Row(f"{what}, per second", "events", sent / used.wall)
    size = on_disk(start(Kafka).folder, f"single.{EVENTS}") / decisions
    yield Row(f"{EVENTS}: a decision on disk, appends of 1", "bytes", size)


@contextmanager
def told(start: Start, name: str, decisions: int, size: int) -> Iterator[tuple[Stores, int]]:
    """A log on which the stories of so many decisions are over; how many events."""
    settings = parse_settings(short_stories())
    spec = settings.experiments[0]
    with closing(open_stores(services_on(start, name, PARTITIONS))) as stores:
        declare(settings, stores.log, stores.clock)
        sent = tell(stores.log, batches(spec, decisions, size=size))
        let_pass(stores.log, wall() + spec.longest_story)
        yield stores, sent


def until_done(step: Callable[[], Any]) -> Rate:
    """What it takes until there is nothing left to do."""

    def turn() -> None:
        while step():
            pass

    return timed(turn)
