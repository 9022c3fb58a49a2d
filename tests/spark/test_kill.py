"""`croupier spark` killed with −9: its driver, its JVM, learn in the middle of a commit.

CROUPIER_SPARK_POINTS names the points of learn's commit, or is `all`.
"""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from croupier.config.services import Services, Stores, open_stores
from croupier.config.spark import SparkSettings
from croupier.core.records import Observation
from croupier.ports import EVENTS, OBSERVATIONS
from croupier.runners.spark.process import run_folding
from tests.laws.oracle import trial_of
from tests.laws.test_chain import text
from tests.ring import mortal
from tests.spark.processes import PATIENCE, Process
from tests.spark.tale import funnels_on, must_be_there, read_back, records, tell_on, wait_for

pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore")]
_ASKED = os.environ.get("CROUPIER_SPARK_POINTS", "uncommitted,committed")
POINTS = mortal.POINTS if _ASKED == "all" else tuple(_ASKED.split(","))


@pytest.fixture
def stores(services: Services) -> Iterator[Stores]:
    opened = open_stores(services)
    yield opened
    opened.close()


@pytest.fixture
def process(services: Services, spark: SparkSettings, tmp_path: Path) -> Iterator[Process]:
    one = Process(services, spark, tmp_path)
    yield one
    one.clean()


class Mortal:
    """Kills an app between two of its commits."""

    def __init__(self, stores: Stores, process: Process) -> None:
        self._stores, self._process = stores, process

    def position(self, scope: str) -> int:
        return sum(self._stores.states(scope).load("").positions.values())

    def dies(self, app: str, most: int, scope: str, *, jvm: bool = False) -> None:
        """Killed in the batch after its first commit, or in Spark's own commit of that."""
        before = self.position(scope)
        self._process.start(app, most)
        assert wait_for(lambda: self._process.alive and self.position(scope) > before, PATIENCE)
        self._process.kill(jvm=jvm)


def test_join_and_observe_are_killed(
    services: Services, spark: SparkSettings, stores: Stores, process: Process
) -> None:
    """Another process finishes what they left: this one."""
    tale = read_back(stores.log, tell_on(stores.log, seed=5))
    stop, mortal_ = threading.Event(), Mortal(stores, process)
    mortal_.dies("join", 20, "join.0")
    mortal_.dies("join", 20, "join.0", jvm=True)
    assert must_be_there(stores, tale) <= funnels_on(stores)
    run_folding("join", services, spark, stop, recover=True)
    ends = stores.log.ends(EVENTS)
    assert sum(mortal_.position(f"join.{number}") for number in ends) == sum(ends.values())
    assert funnels_on(stores) == {text(funnel) for _, funnel in tale.told.funnels}

    mortal_.dies("observe", 4, "observe.0")
    mortal_.dies("observe", 4, "observe.0", jvm=True)
    run_folding("observe", services, spark, stop, recover=True)
    observations = {one.id: one for one in records(stores.log, OBSERVATIONS, Observation)}
    trials = Counter(map(trial_of, observations.values()))
    assert trials == Counter(trial for _, trial in tale.told.trials)


def test_learn_is_killed(
    services: Services, spark: SparkSettings, stores: Stores, process: Process
) -> None:
    tale = read_back(stores.log, tell_on(stores.log, seed=6))
    stop = threading.Event()
    run_folding("join", services, spark._replace(most=20), stop, recover=True)
    run_folding("observe", services, spark._replace(most=6), stop, recover=True)
    for point in POINTS:
        process.start("learn", 4, point)
        process.await_death()
    Mortal(stores, process).dies("learn", 4, "learn", jvm=True)
    process.start("learn", 100)
    sums = tale.told.sums(tale.book)
    done = wait_for(lambda: process.alive and stores.states("learn").load().sums == sums, PATIENCE)
    assert done
    assert process.stop() == 0
    counts = stores.states("learn").load().counts
    assert {place: n for place, n in counts.items() if n} == tale.told.counts()
