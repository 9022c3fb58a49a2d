"""Checkpoints damaged in the ways that we know, and by dice: nothing lost, nothing doubled.

One tale is read a few batches at a time by join, and what follows by observe and by learn; after
each turn the checkpoint of the app is damaged, and its next turn has to live with that (--recover).
What is on the log and in the stores after every turn is held against brute force.

CROUPIER_SPARK_SEED repeats the dice, CROUPIER_SPARK_ROUNDS says how often they are thrown.
"""

import os
import random
import shutil
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from croupier.config.services import Services, Stores, open_stores
from croupier.config.spark import SparkSettings
from tests.spark.damages import LOGS, STATE, USELESS, spoil
from tests.spark.tale import read_back, tell_on
from tests.spark.turns import APPS, Turns, committed

pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore")]
SEED = int(os.environ.get("CROUPIER_SPARK_SEED", "1"))
ROUNDS = int(os.environ.get("CROUPIER_SPARK_ROUNDS", "4"))
_APART = 5
"""By how many damages observe is ahead of join: in one round they suffer different ones."""


@pytest.fixture
def turns(
    services: Services, spark: SparkSettings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Turns]:
    """A tale on the log, which nobody has read yet."""
    stores: Stores = open_stores(services)
    tale = read_back(stores.log, tell_on(stores.log, seed=11, decisions=220, seconds=5))
    yield Turns(services, spark._replace(most=60), stores, tale, monkeypatch)
    stores.close()


def test_known_damages_lose_nothing(turns: Turns) -> None:
    known = [*(STATE | LOGS).items()]
    waiting = {
        "join": deque(known),
        "observe": deque(known[_APART:] + known[:_APART]),
        "learn": deque(LOGS.items()),
    }
    last = dict.fromkeys(APPS, ("nothing", 0))
    for _ in range(3 * len(known)):
        for app in APPS:
            turns.turn(app)
            name, number = last[app]
            turns.check(app, f"{app}, after: {name}")
            newest = turns.newest(app)
            assert int(newest.name) > number or name not in USELESS, f"{app} went on: {name}"
            # One that was begun this very moment has nothing yet to be damaged.
            if waiting[app] and committed(newest):
                name, damage = waiting[app].popleft()
                last[app] = name, int(newest.name)
                damage(newest)
        if not any(waiting.values()):
            break
    assert not any(waiting.values())
    for app in APPS:
        turns.turn(app, whole=True)
    turns.check_all()


def test_damages_by_dice_lose_nothing(turns: Turns, tmp_path: Path) -> None:
    dice, said = random.Random(SEED), list[str]()
    for number in range(ROUNDS):
        for app in APPS:
            turns.turn(app)
            turns.check(app, f"seed {SEED}: {said}")
            here = turns.newest(app)
            shutil.copytree(here, tmp_path / app / str(number))
            older = sorted((tmp_path / app).iterdir())
            others = [turns.newest(one) for one in APPS if turns.checkpoints(one).exists()]
            said.append(f"{number} {app}: {spoil(here, dice, older, others)}")
            print(said[-1])
    for app in APPS:
        turns.turn(app, whole=True)
        turns.check(app, f"seed {SEED}: {said}")
    turns.check_all()
