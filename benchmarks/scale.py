"""One core and two: plain join as one process and as two, Spark as local[1] and local[2].

The cores are shared with Kafka and PostgreSQL, as on any machine that has no more.
"""

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import NamedTuple

from benchmarks.measure import isolated
from benchmarks.report import Row, Skipped
from benchmarks.spark_session import SETTINGS, Session
from benchmarks.table import BATCH, short_stories
from benchmarks.told import batches, let_pass, tell, wall
from croupier.config.services import Services, open_stores
from croupier.config.settings import parse_settings
from croupier.ports import EVENTS
from croupier.runners.declare import declare
from croupier.runners.distributed.parts import JoinPart
from croupier.runners.distributed.share import Share
from croupier.runners.distributed.worker import Worker
from croupier.runners.history import History
from tests.services.own import Start, own_servers, services_on
from tests.services.service import ServiceError
from tests.services.spark import missing

PARTITIONS, SETTLE_SECONDS = 4, 6.0


class Turned(NamedTuple):
    """When a process began and ended, and the CPU that it used."""

    began: float
    ended: float
    cpu: float


def rows(*, quick: bool) -> Iterator[Row | Skipped]:
    if (os.cpu_count() or 1) < 2:
        yield Skipped("scale from one core to two", "this machine has one")
        return
    try:
        with own_servers() as start:
            yield from plain(start, 10_000 if quick else 250_000)
            if missing():
                yield Skipped("scale of Spark from one core to two", missing())
            else:
                yield from spark(start, 5_000 if quick else 100_000)
    except ServiceError as error:
        yield Skipped("scale from one core to two", str(error))


def plain(start: Start, decisions: int) -> Iterator[Row]:
    """The same log, a share of its partitions each."""
    settings, found, sent = parse_settings(short_stories()), [], 0
    for count in (1, 2):
        services = services_on(start, f"plain{count}", PARTITIONS)
        with closing(open_stores(services)) as stores:
            declare(settings, stores.log, stores.clock)
            sent = tell(stores.log, batches(settings.experiments[0], decisions))
            let_pass(stores.log, wall() + settings.experiments[0].longest_story)
        begin = time.time() + SETTLE_SECONDS
        with ThreadPoolExecutor(count) as pool:
            shares = [Share(number + 1, count) for number in range(count)]
            asked = [
                pool.submit(isolated, join, services, share, begin, core=share.number - 1)
                for share in shares
            ]
            found.append([one.result() for one in asked])
    note = f"{sent:,} events in appends of {BATCH}, {PARTITIONS} partitions"
    yield from _compared("plain join", ("1 process", "2 processes"), sent, found, note)


def join(services: Services, share: Share, begin: float) -> Turned:
    """Join a share of what there is, from a moment on."""
    with closing(open_stores(services)) as stores:
        parts = stores.log.ends(EVENTS)
        mine = share.among(parts)
        worker = Worker(
            "join", JoinPart, stores, History(stores.log), mine, parts, threading.Event()
        )
        worker.recover()
        time.sleep(max(0, begin - time.time()))
        began, cpu = time.time(), time.process_time()
        while worker.step():
            pass
        return Turned(began, time.time(), time.process_time() - cpu)


def spark(start: Start, decisions: int) -> Iterator[Row]:
    """One batch that opens all stories: read, sorted into buckets, folded, kept."""
    found = []
    for count in (1, 2):
        services = services_on(start, f"spark{count}", 2)
        with tempfile.TemporaryDirectory() as folder:
            found.append([isolated(fold, services, folder, count, decisions, core=range(count))])
    sent = decisions * 6 // 5
    yield from _compared(
        "Spark join", ("1 core", "2 cores"), sent, found, "one batch, in which all opens"
    )


def fold(services: Services, folder: str, cores: int, decisions: int) -> Turned:
    """The first batch of join, in a session that is warm."""
    with closing(open_stores(services)) as stores:
        session = Session(services, stores, folder, cores)
        session.warm_up(("join",))
        tell(stores.log, batches(SETTINGS.experiments[1], decisions))
        used = session.fold("join")
        return Turned(0.0, used.wall, used.cpu)


def _compared(
    what: str, names: tuple[str, str], sent: int, found: list[list[Turned]], note: str
) -> Iterator[Row]:
    cpu = [sent / sum(each.cpu for each in many) for many in found]
    took = [max(each.ended for each in many) - min(each.began for each in many) for many in found]
    speed = [sent / seconds for seconds in took]
    one, two = names
    yield Row(f"{what}, {two}, per second", "events", speed[1], one, speed[0], note=note)
    yield Row(f"{what}, {two}, per CPU-second", "events", cpu[1], one, cpu[0])
