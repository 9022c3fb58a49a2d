"""croupier demo: the whole ring, a kill −9, and the accounts, as a script reads them."""

import json
import subprocess
import sys

import pytest


@pytest.mark.kill
def test_a_small_demo_loses_and_doubles_nothing() -> None:
    words = ["--visitors", "400", "--seconds", "2", "--kills", "1", "--json"]
    command = [sys.executable, "-m", "croupier", "demo", *words]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=90)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert {
        "visitors",
        "observations",
        "lost",
        "doubled",
        "best_arm_share",
        "reward_vs_uniform",
        "decisions_per_second",
    } <= found.keys()
    assert (found["visitors"], found["observations"], found["kills"]) == (400, 400, 1)
    assert (found["lost"], found["doubled"]) == (0, 0)
    assert 0 <= found["best_arm_share"] <= 1
    assert 0.5 < found["reward_vs_uniform"] < 2
    assert found["decisions_per_second"] > 10
