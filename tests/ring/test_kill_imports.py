"""Imports under kill −9: sent until they are answered, each row counts exactly once."""

import http.client
import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from croupier.config.backends import open_backends
from croupier.runners.declare import read_declarations
from croupier.runners.replay import Replay, differences
from tests.ring.server import HOST, Server

pytestmark = pytest.mark.kill
KILLS, CHUNK = 5, 40
TOML = """
[[experiment]]
name = "button"
arms = ["a", "b", "c"]
default = "a"
reward = { click = 1.0 }
expose_within = "100ms"
window = "100ms"
lateness = "100ms"
session = "none"
refresh = "200ms"
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path, TOML)
    yield made
    made.close()


def post(server: Server, path: str, body: Any) -> Any:
    """The answer to a request, or None when nobody gave one."""
    connection = http.client.HTTPConnection(HOST, server.port, timeout=10)
    try:
        headers = {"idempotency-key": "storm"}
        connection.request("POST", f"/v1/experiments/button/{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        return json.loads(answer.read()) if answer.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def chunk(number: int) -> list[dict[str, Any]]:
    """Rows that no other chunk has; the numbers of each follow from its place."""
    rows = range(number * CHUNK, (number + 1) * CHUNK)
    return [
        {"arm": "abc"[row % 3], "n": row % 7 + 1, "reward_sum": row % 2, "at": 60_000 * row}
        for row in rows
    ]


class Sender(threading.Thread):
    """Sends one chunk after another until each is answered, and some of them again."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server, self._dice = server, random.Random(7)
        self.over = threading.Event()
        self.sent: list[int] = []

    def run(self) -> None:
        while not self.over.is_set():
            number = len(self.sent)
            while post(self._server, "import", chunk(number)) is None:
                time.sleep(0.01)
            self.sent.append(number)
            if number % 5 == 0:
                post(self._server, "import", chunk(self._dice.randrange(number + 1)))
            post(self._server, "decide", {"unit": f"u-{number}", "exposed": True})


def test_each_row_counts_once_whatever_is_killed(server: Server, tmp_path: Path) -> None:
    sent = storm(server)
    assert len(sent) > 3 * KILLS
    rows = [row for number in sent for row in chunk(number)]
    deadline = time.monotonic() + 20
    while (page := server.ask("/v1/experiments/button")[1])["open"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert server.terminate() == 0
    assert page["imported"] == sum(row["n"] for row in rows)
    total = sum(arm["n"] for arm in page["arms"])
    assert total == page["imported"] + page["observations"]
    for arm in page["arms"]:
        mine = [row["reward_sum"] for row in rows if row["arm"] == arm["arm"]]
        assert arm["reward_sum"] == sum(mine)
    backends = open_backends(tmp_path / "croupier.db", read_only=True)
    standing, again = backends.states.load(), Replay(backends, read_declarations(backends.log))
    rebuilt = again.rebuild()
    assert differences(standing.sums, rebuilt.sums) == []
    assert dict(rebuilt.counts) == standing.counts


def storm(server: Server) -> list[int]:
    """The chunks that were answered while the server was killed again and again."""
    sender, dice = Sender(server), random.Random(8)
    server.start()
    sender.start()
    try:
        for _ in range(KILLS):
            time.sleep(dice.uniform(0.1, 0.8))
            server.kill()
            server.start()
    finally:
        sender.over.set()
        sender.join(timeout=60)
    return sender.sent
