"""The distributed ring, process by process: what a CPU-second handles of a log. Informs only."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from benchmarks.report import Row, Skipped
from benchmarks.table import BATCH, decision, events, short_stories
from croupier.config.services import Stores, open_stores
from croupier.config.settings import Settings, parse_settings
from croupier.core import codec
from croupier.core.records import Tick
from croupier.ports import EVENTS
from croupier.runners.declare import declare
from croupier.runners.distributed.learning import Learner
from croupier.runners.distributed.parts import JoinPart, ObservePart
from croupier.runners.distributed.worker import Worker
from croupier.runners.history import History
from tests.services.own import own_services
from tests.services.service import ServiceError

PARTITIONS = 4


def rows(*, quick: bool) -> Iterator[Row | Skipped]:
    settings = parse_settings(short_stories())
    try:
        with (
            own_services("bench", PARTITIONS) as services,
            closing(open_stores(services)) as stores,
        ):
            declare(settings, stores.log, stores.clock)
            sent = fill(stores, settings, 5_000 if quick else 100_000)
            yield from measure(stores, sent)
    except ServiceError as error:
        yield Skipped("join, observe, learn", str(error))


def fill(stores: Stores, settings: Settings, decisions: int) -> int:
    """Report on decisions made now, then let their time pass; how many events."""
    spec, dice = settings.experiments[0], random.Random(11)
    made = (decision(spec, dice, stores.clock.now(), count) for count in range(decisions))
    batch, sent, waiting = [], 0, []
    for each in events(spec, made):
        batch.append(each)
        if len(batch) == BATCH:
            keys = [one.decision.tracking_id for one in batch]
            waiting.append(stores.log.append(EVENTS, list(map(codec.encode, batch)), keys))
            sent, batch = sent + BATCH, []
    for future in waiting:
        future.result()
    time.sleep((spec.longest_story + 1_000) / 1_000)
    stores.log.append(EVENTS, [codec.encode(Tick())]).result()
    return sent


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
