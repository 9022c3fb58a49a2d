"""How long after an observation's deadline a snapshot that holds it is served."""

import json
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.load import Connection, post
from benchmarks.measure import CLIENT_CORE, isolated, quantile
from benchmarks.report import Row, at_most
from benchmarks.services import croupier
from benchmarks.table import toml

EXPERIMENTS = 20
REFRESH = 1.0
STORY = 0.4
"""expose_within + window + lateness: the deadline, counted from the decision."""


def rows(*, quick: bool) -> Iterator[Row]:
    probes = 1 if quick else 10
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
    with tempfile.TemporaryDirectory() as folder, croupier(Path(folder), text) as server:
        waits = isolated(probe, server.port, probes, core=CLIENT_CORE)
    beyond = [wait - REFRESH for wait in waits]
    what = "deadline → snapshot served"
    yield Row(f"{what}, p50", "s", quantile(waits, 0.5), note=f"{len(waits)} observations")
    yield at_most(
        f"{what}, beyond the refresh of {REFRESH:g} s, p95", "s", quantile(beyond, 0.95), 2.0
    )
    yield Row(f"{what}, beyond the refresh, worst", "s", max(beyond))


def probe(port: int, probes: int) -> list[float]:
    """One observation at a time in each experiment; it is served once the version rises."""
    connection, dice = Connection(port), random.Random(6)
    left = dict.fromkeys(range(EXPERIMENTS), probes)
    starts = {number: time.time() + dice.uniform(0, 2) for number in left}
    waiting: dict[int, tuple[float, int]] = {}
    waits: list[float] = []
    while left:
        for number in list(left):
            decided, token = _decide(connection, number, dice)
            now = time.time()
            if number in waiting:
                deadline, version = waiting[number]
                if decided > version:
                    waits.append(now - deadline)
                    del waiting[number]
                    left[number] -= 1
                    starts[number] = now + dice.uniform(0, 0.3)
                    if not left[number]:
                        del left[number]
            elif now >= starts[number]:
                event = {"kind": "impression", "token": token}
                connection.ask(post("/v1/events", json.dumps([event]).encode()))
                waiting[number] = now + STORY, decided
        time.sleep(0.01)
    return waits


def _decide(connection: Connection, number: int, dice: random.Random) -> tuple[int, str]:
    body = b'{"unit":"u-%d"}' % dice.randrange(10**9)
    answer = json.loads(connection.ask(post(f"/v1/experiments/probe-{number}/decide", body)))
    return int(answer["version"]), str(answer["token"])
