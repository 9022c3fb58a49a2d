"""The distributed ring, process by process: what a CPU-second handles of a log. Informs only."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from benchmarks.kafka import on_disk
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
from tests.services.own import own_servers, services_on
from tests.services.servers import Kafka
from tests.services.service import ServiceError

PARTITIONS = 4


def rows(*, quick: bool) -> Iterator[Row | Skipped]:
    settings = parse_settings(short_stories())
    spec = settings.experiments[0]
    decisions = 5_000 if quick else 100_000
    try:
        with (
            own_servers() as start,
            closing(open_stores(services_on(start, "bench", PARTITIONS))) as stores,
        ):
            declare(settings, stores.log, stores.clock)
            sent = tell(stores.log, batches(spec, decisions))
            let_pass(stores.log, wall() + spec.longest_story)
            yield from measure(stores, sent)
            for topic in (EVENTS, FUNNELS, OBSERVATIONS):
                size = on_disk(start(Kafka).folder, f"bench.{topic}") / decisions
                yield Row(f"{topic}: a decision on the broker's disk", "bytes", size)
    except ServiceError as error:
        yield Skipped("join, observe, learn", str(error))


def measure(stores: Stores, sent: int) -> Iterator[Row]:
    """Each process alone, one after the other, until there is nothing left to do."""
    history, stop, parts = History(stores.log), threading.Event(), list(range(PARTITIONS))
    note = f"{sent:,} events in appends of {BATCH}, {PARTITIONS} partitions, one process"
    for app, part in (("join", JoinPart), ("observe", ObservePart)):
        worker = Worker(app, part, stores, history, parts, parts, stop)
        worker.recover()
        yield Row(f"{app}, per CPU-second", "events", sent / until_done(worker.step), note=note)
    learner = Learner(stores, history, stop)
    learner.recover()
    used = until_done(learner.step)
    found = learner._states.load().counts
    learned = sum(count for (_, what), count in found.items() if what == "observations")
    assert learned > 0.8 * sent / 1.3, (learned, sent)
    yield Row("learn, per CPU-second", "trials", learned / used, note=f"{learned:,} trials")


def until_done(step: Callable[[], Any]) -> float:
    """Seconds of CPU, of all threads."""
    began = time.process_time()
    while step():
        pass
    return time.process_time() - began
