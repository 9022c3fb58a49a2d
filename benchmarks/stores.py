"""PostgreSQL and Redis behind the ports: what a commit and a publication cost. Informs only."""

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import msgspec
import psycopg

from benchmarks.report import Row, Skipped
from benchmarks.table import beta_decider
from croupier.adapters.postgres import Database, PostgresState
from croupier.adapters.redis import RedisSnapshots
from croupier.core import codec
from croupier.core.arms.sums import StateKey, Sums
from croupier.ports import Commit, Tally
from tests.services.own import own_servers
from tests.services.servers import Postgres, Redis
from tests.services.service import Service, ServiceError

HELD = (
    "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits "
    "WHERE inhparent = 'croupier.ids'::regclass"
)
ARMS, IDS, WRITERS = 400, 10_000, 8


def rows(*, quick: bool) -> Iterator[Row | Skipped]:
    measured: list[tuple[type[Service], str, Callable[[Service, bool], Iterator[Row]]]] = [
        (Postgres, "PostgreSQL: commit", postgres),
        (Postgres, "PostgreSQL: several writers", writers),
        (Redis, "Redis: publish and read", redis),
    ]
    with own_servers() as start:
        for kind, what, measure in measured:
            try:
                service = start(kind)
            except ServiceError as error:
                yield Skipped(what, str(error))
            else:
                yield from measure(service, quick)


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
        with psycopg.connect(service.url) as connection:
            held = connection.execute(HELD).fetchone()
        assert held
        yield Row("PostgreSQL: an id on disk, with its index", "bytes", int(held[0]) / rounds / IDS)


def writers(service: Service, quick: bool) -> Iterator[Row]:
    """What a step of join or observe commits, by one partition's writer and by several at once."""
    commits = 20 if quick else 200

    def work(scope: str) -> None:
        with closing(Database(service.url, "several")) as database:
            states = PostgresState(database, scope)
            for number in range(commits):
                since = {0: number} if number else {}
                states.commit(Commit({0: number + 1}, number, since=since, open={"b": number}))

    work("first")
    speed = []
    for count in (1, WRITERS):
        began = time.monotonic()
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(work, [f"{count}.{number}" for number in range(count)]))
        speed.append(count * commits / (time.monotonic() - began))
    what = f"PostgreSQL: positions committed by {WRITERS} writers, per second"
    note = "commits of one schema follow one another; an fsync each"
    yield Row(what, "commits", speed[1], "1 writer", speed[0], note=note)


def redis(service: Service, quick: bool) -> Iterator[Row]:
    rounds = 20 if quick else 100
    for arms in (5, 1_000):
        first = beta_decider(arms).snapshot
        tally = Tally("bench", [100] * arms, [10_000_000] * arms)
        with closing(RedisSnapshots(f"{service.url}/0", f"bench-{arms}")) as cache:
            puts, reads = [], []
            for number in range(rounds):
                began = time.monotonic()
                cache.put(msgspec.structs.replace(first, version=number + 1), tally)
                middle = time.monotonic()
                assert cache.newer({first.experiment: number})
                puts.append(middle - began)
                reads.append(time.monotonic() - middle)
        what, note = f"Redis: a snapshot of {arms:,} arms", f"medians of {rounds}"
        yield Row(f"{what}, put with its counts", "ms", statistics.median(puts) * 1e3, note=note)
        yield Row(f"{what}, read by a server", "ms", statistics.median(reads) * 1e3)
        yield Row(f"{what}, size", "kB", len(codec.encode(first)) / 1e3)
