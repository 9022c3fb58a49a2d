"""The client and a real `croupier up`: forks, many threads, kill −9; the accounts must agree."""

import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from croupier.client import Croupier, Decided
from tests.client.peers import wait_for
from tests.ring.server import HOST, Server

pytestmark = pytest.mark.kill

TOML = """
[[experiment]]
name = "each"
arms = ["one", "two", "three", "four"]
default = "one"
reward = { click = 1.0, buy = { weight = 1.0, of = "value", max = 100 } }
policy = { kind = "uniform" }
expose_within = "6s"
window = "3s"
lateness = "2s"
session = "none"
refresh = "500ms"
"""
DEFAULTS = {"each": "one"}


PATIENT = TOML.replace('lateness = "2s"', 'lateness = "10s"')
"""Where a server is away: on a busy machine its start takes several seconds."""
QUICK = TOML.replace('"6s"', '"2s"').replace('"3s"', '"2s"')
"""For servers that are not killed: reports wait for nobody."""


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    made = Server(tmp_path, getattr(request, "param", QUICK))
    made.start()
    yield made
    made.close()


def url(server: Server) -> str:
    return f"http://{HOST}:{server.port}"


def settled(server: Server) -> dict[str, Any]:
    """The experiment's page when every story has closed."""
    found: dict[str, Any] = {}

    def closed() -> bool:
        status, page = server.ask("/v1/experiments/each")
        found.update(page if status == 200 else {})
        return status == 200 and page["open"] == 0

    wait_for(closed, 40)
    return found


def accounts(page: dict[str, Any]) -> tuple[int, float, int]:
    """Observations, rewards, and what came too late."""
    return page["observations"], sum(arm["reward_sum"] for arm in page["arms"]), page["late"]


def test_forked_workers_lose_and_double_nothing(server: Server) -> None:
    workers, events = 4, 150
    script = str(Path(__file__).with_name("prefork.py"))
    ran = subprocess.run(
        [sys.executable, script, url(server), str(workers), str(events)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert not ran.stderr
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(told) == workers + 1
    visits = (1 + 4 + 1 + workers) * events
    assert sum(one["decided"] for one in told) == visits
    assert not sum(one["defaulted"] for one in told)
    clicks = (1 + 1 + workers) * math.ceil(events / 3) + math.ceil(4 * events / 3)
    assert sum(one["events_queued"] for one in told) == visits + 2 * clicks
    assert accounts(settled(server)) == (visits, clicks, 0)


def test_a_process_that_just_ends_has_sent_everything(server: Server) -> None:
    script = (
        "import sys; from croupier.client import Croupier\n"
        "client = Croupier(sys.argv[1], {'each': 'one'}, timeout=5.0, linger=60.0)\n"
        "for n in range(100): client.impression(client.decide('each', str(n)))\n"
        "raise RuntimeError('the page broke by itself')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, url(server)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == 1
    assert "may be lost" not in ran.stderr
    assert accounts(settled(server)) == (100, 0.0, 0)


class Visitors(threading.Thread):
    """Decides, sees, clicks (twice over) and sometimes buys; keeps the books."""

    def __init__(self, client: Croupier, number: int, over: threading.Event, most: int) -> None:
        super().__init__(daemon=True)
        self._client, self._number, self._over, self._most = client, number, over, most
        self.seen = self.clicks = self.bought = self.defaults = 0
        self.slowest = 0.0

    def run(self) -> None:
        for n in range(self._most):
            if self._over.is_set():
                return
            began = time.monotonic()
            decided = self._client.decide("each", f"{self._number}-{n}")
            self.slowest = max(self.slowest, time.monotonic() - began)
            self._visit(decided, n)
            time.sleep(0.002)

    def _visit(self, decided: Decided, n: int) -> None:
        self.defaults += decided.is_default
        self._client.impression(decided)
        if not decided.is_default:
            self.seen += 1
            self.clicks += n % 3 == 0
            self.bought += 2 * (n % 10 == 0)
        if n % 3 == 0:
            self._client.outcome(decided, "click")
            self._client.outcome(decided.token, "click")
        if n % 10 == 0:
            self._client.outcome(decided, "buy", value=1.0, id=f"a-{n}")
            self._client.outcome(decided, "buy", value=1.0, id=f"b-{n}")
            self._client.outcome(decided, "buy", value=1.0, id=f"b-{n}")


@pytest.mark.parametrize("server", [TOML], indirect=True, ids=["patient"])
def test_a_server_killed_under_32_threads_costs_defaults_and_no_event(server: Server) -> None:
    timeout, over = 0.2, threading.Event()
    told: list[str] = []
    client = Croupier(
        url(server),
        DEFAULTS,
        timeout,
        pause=0.2,
        buffer=100_000,
        exit_timeout=30.0,
        on_rejected=lambda _, why: told.append(why) if len(told) < 5 else None,
    )
    threads = [Visitors(client, number, over, 10**6) for number in range(32)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.7)
        server.kill()
        time.sleep(0.3)
        server.start()
        wait_for(lambda: not client.stats()["circuit_is_open"])
    time.sleep(0.7)
    over.set()
    for thread in threads:
        thread.join()
    assert client.flush(30), client.stats()
    stats = client.stats()
    client.close()
    seen = sum(thread.seen for thread in threads)
    assert stats["decided"] == seen > 1_000
    assert stats["defaulted"] == sum(thread.defaults for thread in threads) > 0
    assert stats["circuit_opened"] >= 3
    assert stats["events_resent"] > 0
    assert stats["events_accepted"] == stats["events_queued"], (stats, told)
    assert max(thread.slowest for thread in threads) <= 3 * timeout
    rewards = sum(thread.clicks + thread.bought for thread in threads)
    page = settled(server)
    assert accounts(page) == (seen, rewards, 0), stats


@pytest.mark.parametrize("server", [PATIENT], indirect=True, ids=["patient"])
def test_what_was_buffered_while_the_server_was_away_counts_when_it_happened(
    server: Server,
) -> None:
    with Croupier(url(server), DEFAULTS, 5.0, exit_timeout=30.0) as client:
        found = [client.decide("each", f"u-{n}") for n in range(50)]
        server.kill()
        for decided in found:
            client.impression(decided)
            client.outcome(decided, "click")
        time.sleep(3.5)  # more than the window, if it were counted from the arrival
        for decided in found:
            client.outcome(decided, "buy", value=9.0)  # beyond the window, whenever it arrives
        server.start()
        assert client.flush(20)
    assert accounts(settled(server)) == (50, 50.0, 0)


def test_a_clock_that_is_wrong_by_an_hour_does_not_matter(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    for wrong in (-3_600, 3_600):
        monkeypatch.setattr(time, "time", lambda wrong=wrong: real() + wrong)
        with Croupier(url(server), DEFAULTS, 5.0) as client:
            for n in range(20):
                decided = client.decide("each", f"u{wrong}-{n}")
                client.impression(decided)
                client.outcome(decided.token, "click")
        assert client.stats()["events_accepted"] == 40, client.stats()
    monkeypatch.undo()
    assert accounts(settled(server)) == (40, 40.0, 0)


def test_ten_thousand_calls_of_a_hundred_threads(server: Server) -> None:
    client = Croupier(url(server), DEFAULTS, 5.0, exit_timeout=30.0)
    threads = [Visitors(client, number, threading.Event(), 100) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    stats = client.stats()
    assert (stats["decided"], stats["defaulted"]) == (10_000, 0)
    assert stats["connections"] < 1_000
    rewards = sum(thread.clicks + thread.bought for thread in threads)
    assert accounts(settled(server)) == (10_000, rewards, 0)
