"""Kafka and PostgreSQL behind the ports: what an append, a read and a commit cost. Informs only."""

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing

from benchmarks.report import Row, Skipped
from croupier.adapters.kafka import Cluster, KafkaLog
from croupier.adapters.postgres import Database, PostgresState
from croupier.core import codec
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.records import Decision, Event
from croupier.ports import EVENTS, Commit
from tests.services.own import own_servers
from tests.services.servers import Kafka, Postgres
from tests.services.service import Service, ServiceError

BATCH, UNDER_WAY = 100, 200
ARMS, IDS = 400, 10_000


def rows(*, quick: bool) -> Iterator[Row | Skipped]:
    measured: list[tuple[type[Service], str, Callable[[Service, bool], Iterator[Row]]]] = [
        (Kafka, "Kafka: append and read", kafka),
        (Postgres, "PostgreSQL: commit", postgres),
    ]
    with own_servers() as start:
        for kind, what, measure in measured:
            try:
                service = start(kind)
            except ServiceError as error:
                yield Skipped(what, str(error))
            else:
                yield from measure(service, quick)


def kafka(service: Service, quick: bool) -> Iterator[Row]:
    appends = 200 if quick else 5_000
    records = [codec.encode(event(number)) for number in range(BATCH)]
    keys = [number.to_bytes(15, "big") for number in range(BATCH)]
    cluster = Cluster(f"127.0.0.1:{service.port}", "bench", partitions=4)
    with closing(KafkaLog(cluster)) as log:
        log.append(EVENTS, records, keys).result()
        began, cpu = time.monotonic(), time.process_time()
        under_way = deque(log.append(EVENTS, records, keys) for _ in range(UNDER_WAY))
        for _ in range(appends - UNDER_WAY):
            under_way.popleft().result()
            under_way.append(log.append(EVENTS, records, keys))
        for future in under_way:
            future.result()
        took, used = time.monotonic() - began, time.process_time() - cpu
        events = appends * BATCH
        note = f"{events:,} events by key, 4 partitions, {UNDER_WAY} appends of {BATCH} under way"
        yield Row("Kafka: events appended, per second", "events", events / took, note=note)
        yield Row("Kafka: CPU of ours, an event appended", "µs", used / events * 1e6)
        waits = []
        for _ in range(50):
            began = time.monotonic()
            log.append(EVENTS, records, keys).result()
            waits.append(time.monotonic() - began)
        yield Row("Kafka: one append, alone, median", "ms", statistics.median(waits) * 1e3)
        positions, found = dict.fromkeys(range(4), 0), 0
        ends = log.ends(EVENTS)
        began = time.monotonic()
        while positions != ends:
            entries = log.read(EVENTS, positions, 512)
            found += sum(len(codec.decode_many(entry.payload)) for entry in entries)
            positions |= {entry.partition: entry.offset + 1 for entry in entries}
        took = time.monotonic() - began
        yield Row("Kafka: events read and decoded, per second", "events", found / took)


def postgres(service: Service, quick: bool) -> Iterator[Row]:
    rounds, week = (3 if quick else 15), 7 * 86_400_000
    with closing(Database(service.url)) as database:
        states = PostgresState(database)
        commits, asked = [], []
        for number in range(rounds):
            ids = {(number * IDS + one).to_bytes(16, "big"): week + one for one in range(IDS)}
            sums = {StateKey("b", arm, 0, 1, "policy", 0): Sums.of(1, 0.5) for arm in range(ARMS)}
            began = time.monotonic()
            states.known(ids)
            middle = time.monotonic()
            since = {0: number} if number else {}
            states.commit(Commit({0: number + 1}, number, since=since, sums=sums, ids=ids))
            asked.append(middle - began)
            commits.append(time.monotonic() - middle)
        note = f"medians of {rounds}; with {ARMS} arms, their history, and one fsync"
        yield Row(
            f"PostgreSQL: commit of {IDS:,} new ids",
            "ms",
            statistics.median(commits) * 1e3,
            note=note,
        )
        yield Row(
            f"PostgreSQL: which of {IDS:,} ids are known", "ms", statistics.median(asked) * 1e3
        )


def event(number: int) -> Event:
    decision = Decision(
        tracking_id=number.to_bytes(15, "big"),
        experiment="top-button",
        unit=number.to_bytes(16, "big"),
        session=7,
        declaration=1,
        snapshot=12,
        slate=(1,),
        propensities=(0.25,),
    )
    return Event(decision=decision, kind="impression", at=1_763_750_000_000 + number)
