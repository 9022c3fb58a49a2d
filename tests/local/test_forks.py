"""Deciding in forked processes beside a real `croupier up`: the accounts must agree."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.apps.house import a_house
from tests.client.test_real_server import QUICK, url
from tests.ring.server import Server

pytestmark = pytest.mark.kill
WORKERS, VISITS = 4, 150


def test_forked_workers_decide_for_themselves_and_lose_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path, QUICK)
    server.start()
    script = str(Path(__file__).with_name("prefork.py"))
    try:
        ran = subprocess.run(
            [sys.executable, script, str(server.data), url(server), str(WORKERS), str(VISITS)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        assert server.terminate() == 0
    finally:
        server.close()
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    visits = (1 + 4 + 2 * WORKERS) * VISITS
    ids = [one for each in told for one in each["ids"]]
    assert (len(told), len(ids), len(set(ids))) == (WORKERS + 1, visits, visits)
    assert sum(one["defaulted"] for one in told) == 0
    clicks = (1 + 2 * WORKERS) * math.ceil(VISITS / 3) + math.ceil(4 * VISITS / 3)
    assert sum(one["events_queued"] for one in told) == visits + 2 * clicks
    with a_house(server.data, QUICK) as house:
        page = house.until(lambda page: page["observations"] + page["open"] > 0, "each")
        house.later()
        page = house.until(lambda page: page["open"] == 0, "each")
    rewards = sum(arm["reward_sum"] for arm in page["arms"])
    assert (page["observations"], rewards, page["late"]) == (visits, clicks, 0)
