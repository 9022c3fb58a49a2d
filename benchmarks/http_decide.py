"""Decide over HTTP: server CPU per request against DELISH's design, and latencies."""

import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import delish
from benchmarks.load import Connection, pace, post, press_again
from benchmarks.measure import CLIENT_CORE, isolated, may_be_urgent, quantile
from benchmarks.report import Row, Skipped, at_most
from benchmarks.services import MissingServiceError, croupier, redis_server, uvicorn_app
from benchmarks.table import toml

CONNECTIONS = 16
MANY_ARMS = 1_000
RATE = 200.0
OURS = "/v1/experiments/top-button/decide"
FLOOR = "uvicorn with a fixed answer"
SLATES = {
    "an arm excluded": ("top-button", "arm-1"),
    "3 slots of 5 arms": ("row", ""),
    "12 slots of 40 arms": ("page", ""),
    "12 slots, an arm excluded": ("page", "arm-1"),
}
"""By what is asked: the experiment, and the arm that is excluded."""


class Target(NamedTuple):
    """A server, the processes that work for its answers, and the path to ask."""

    port: int
    pids: list[int]
    path: str
    exclude: str = ""


def rows(*, quick: bool) -> Iterator[Row | Skipped]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield from _against_delish(Path(folder), 3 if quick else 15)
        except MissingServiceError as error:
            yield Skipped("decide over HTTP against DELISH's design", str(error))
    with tempfile.TemporaryDirectory() as folder:
        yield from _latencies(Path(folder), 2 if quick else 10)


def _against_delish(folder: Path, rounds: int) -> Iterator[Row]:
    slates = toml("row", 5, slots=3) + toml("page", 40, slots=12, ranking="slots")
    with redis_server(folder) as redis:
        url = f"redis://127.0.0.1:{redis.port}"
        delish.fill(url, "top-button")
        with (
            uvicorn_app("benchmarks.delish:app", {"REDIS_URL": url}) as peer,
            uvicorn_app("benchmarks.floor:app", {}) as floor,
            croupier(folder, toml("top-button", 5) + slates) as server,
        ):
            targets = [
                Target(server.port, [server.pid], OURS),
                Target(peer.port, [peer.pid, redis.pid], "/surfaces/top-button/decide"),
                Target(floor.port, [floor.pid], OURS),
                *(
                    Target(server.port, [server.pid], f"/v1/experiments/{name}/decide", exclude)
                    for name, exclude in SLATES.values()
                ),
            ]
            micros = isolated(alternate, targets, rounds, core=CLIENT_CORE)
    columns = zip(*micros, strict=True)
    us, them, their_redis, least, *ours = (statistics.median(column) for column in columns)
    what = "decide over HTTP, server CPU per request"
    note = f"{CONNECTIONS} connections, medians of {rounds} alternated chunks of 0.5 s"
    design = "DELISH's design with its Redis"
    yield Row(what, "µs CPU", us, design, them + their_redis, "at most", 0.1, note=note)
    yield Row(what, "µs CPU", us, "DELISH's design without Redis's CPU", them)
    yield Row(what, "µs CPU", us, FLOOR, least)
    for which, micros in zip(SLATES, ours, strict=True):
        yield Row(f"{what}, {which}", "µs CPU", micros, design, them + their_redis, "at most", 0.2)


def alternate(targets: Sequence[Target], rounds: int) -> list[list[float]]:
    """µs of CPU per request of each process of each target, round by round."""
    micros: list[list[float]] = []
    for warming in (True, *[False] * rounds):
        used: list[float] = []
        for port, pids, path, exclude in targets:
            pressed = press_again(port, pids, decides(path, exclude), CONNECTIONS, 0.5)
            used += (each / pressed.requests * 1e6 for each in pressed.cpu)
        if not warming:
            micros.append(used)
    return micros


def _latencies(folder: Path, rounds: int) -> Iterator[Row]:
    story = {"expose_within": "1s", "window": "1s", "lateness": "1s", "session": "none"}
    many = toml("many", MANY_ARMS, refresh="1s", **story)
    for name in ("calm", "busy", "bags"):
        (folder / name).mkdir()
    with (
        uvicorn_app("benchmarks.floor:app", {}, urgent=True) as floor,
        croupier(folder / "calm", toml("top-button", 5), urgent=True) as calm,
        croupier(folder / "busy", toml("top-button", 5) + many, urgent=True) as busy,
    ):
        feeder = Feeder(busy.port)
        feeder.start()
        time.sleep(4.0)
        ports = [floor.port, calm.port, busy.port]
        seconds = isolated(take_turns, ports, rounds, core=CLIENT_CORE, urgent=True)
        feeder.stop()
    assert feeder.versions > 3 * rounds, f"only {feeder.versions} refreshes of the many arms"
    waits = [[each * 1e3 for each in many] for many in seconds]
    what, priority = "decide over HTTP", "before" if may_be_urgent() else "beside"
    for share in (0.5, 0.99):
        least, ours = (quantile(many, share) for many in waits[:2])
        yield Row(f"{what}, unloaded, p{100 * share:g}", "ms", ours, FLOOR, least)
    beside = f"{what}, {MANY_ARMS:,} arms refreshed beside"
    yield Row(f"{beside}, p50", "ms", quantile(waits[2], 0.5), FLOOR, quantile(waits[0], 0.5))
    worst = ", ".join(f"{max(many):.1f}" for many in waits)
    note = f"{RATE:g}/s, {len(waits[2]):,} requests, {priority} other work of this machine; "
    note += f"{feeder.versions} refreshes; worst of floor, unloaded, beside: {worst} ms"
    yield at_most(f"{beside}, p99", "ms", quantile(waits[2], 0.99), 10.0, note)
    yield _beside_bags(folder / "bags", rounds)


def _beside_bags(folder: Path, rounds: int) -> Row:
    """The same while bags of rankings are refreshed, which takes ten times as long."""
    story = {"expose_within": "1s", "window": "1s", "lateness": "1s", "session": "none"}
    bags = toml("many", MANY_ARMS, refresh="1s", slots=12, ranking="slots", **story)
    with croupier(folder, toml("top-button", 5) + bags, urgent=True) as busy:
        feeder = Feeder(busy.port)
        feeder.start()
        time.sleep(4.0)
        (waits,) = isolated(take_turns, [busy.port], rounds, core=CLIENT_CORE, urgent=True)
        feeder.stop()
    note = f"{feeder.versions} refreshes; worst {1e3 * max(waits):.1f} ms"
    what = f"decide over HTTP, {MANY_ARMS:,} arms × 12 slots refreshed beside, p99"
    return at_most(what, "ms", 1e3 * quantile(waits, 0.99), 10.0, note)


def take_turns(ports: Sequence[int], rounds: int) -> list[list[float]]:
    """Latencies of each port, in alternated stretches of 2 s."""
    latencies: list[list[float]] = [[] for _ in ports]
    for _ in range(rounds):
        for place, port in enumerate(ports):
            latencies[place] += pace(port, decides(OURS), RATE, 2.0)
    return latencies


def decides(path: str, exclude: str = "") -> list[bytes]:
    """Requests of a thousand units, each forbidding the same arm, if any."""
    rest = b',"exclude":["%s"]}' % exclude.encode() if exclude else b"}"
    return [post(path, b'{"unit":"u-%d"' % number + rest) for number in range(1_000)]


class Feeder(threading.Thread):
    """Keeps the many arms learning: 20 decisions with their events every 100 ms."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._connection, self._stopped = Connection(port), threading.Event()
        self.versions = 0

    def run(self) -> None:
        dice, seen = random.Random(4), set()
        while not self._stopped.wait(0.1):
            reports: list[dict[str, str]] = []
            for _ in range(20):
                body = b'{"unit":"u-%d"}' % dice.randrange(10**9)
                answer = self._connection.ask(post("/v1/experiments/many/decide", body))
                decided = json.loads(answer)
                seen.add(decided["version"])
                reports.append({"kind": "impression", "token": decided["token"]})
                if dice.random() < 0.1:
                    arm = decided["slate"][0]["arm"]
                    reports.append({"kind": "click", "token": decided["token"], "arm": arm})
            self._connection.ask(post("/v1/events", json.dumps(reports).encode()))
        self.versions = len(seen)

    def stop(self) -> None:
        self._stopped.set()
        self.join()
