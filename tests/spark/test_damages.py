"""Checkpoints damaged in every way that we know: nothing lost, nothing doubled.

One tale is read a few batches at a time; after each turn the checkpoint of the app is damaged, and
the next turn has to live with that (--recover). What is on the log after every turn is held against
what brute force says must be there by the committed watermarks.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from croupier.config.services import Services, Stores, open_stores
from croupier.config.settings import Settings
from croupier.config.spark import SparkSettings
from croupier.runners.spark import folding
from croupier.runners.spark.folding import Folding
from croupier.runners.spark.process import run_folding, run_learning
from tests.laws.test_chain import text
from tests.spark.damages import LOGS, STATE
from tests.spark.tale import Tale, funnels_on, must_be_there, read_back, tell_on

pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore")]
DECLARED = Settings(experiments=())


@pytest.fixture
def stores(services: Services) -> Iterator[Stores]:
    opened = open_stores(services)
    yield opened
    opened.close()


class Turns:
    """Runs an app until it has committed something new, or all there is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, driver: type[Any]) -> None:
        self.stop, self._whole = threading.Event(), False
        take = driver.take

        def taken(this: Any, rows: Any) -> None:
            before = dict(self._stood(this))
            take(this, rows)
            if not self._whole and self._stood(this) != before:
                # Spark commits this batch; it is stopped in the middle of the next.
                threading.Timer(0.4, self.stop.set).start()

        monkeypatch.setattr(driver, "take", taken)

    @staticmethod
    def _stood(driver: Any) -> dict[int, int]:
        return dict(driver._learner.positions if hasattr(driver, "_learner") else driver._positions)

    def one(self, run: Callable[[threading.Event], None]) -> None:
        self.stop = threading.Event()
        run(self.stop)

    def all(self, run: Callable[[threading.Event], None]) -> None:
        self._whole = True
        run(threading.Event())


def newest(checkpoint: Path) -> Path:
    return max(checkpoint.iterdir(), key=lambda each: int(each.name))


def test_join_and_observe_lose_nothing(
    services: Services, spark: SparkSettings, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    tale = read_back(stores.log, tell_on(stores.log, seed=11, decisions=220, seconds=5))
    expected = {text(funnel) for _, funnel in tale.told.funnels}
    spark = spark._replace(most=36)
    # Told by one clock: re-reading begins where the oldest open story can, and no earlier.
    monkeypatch.setattr(folding, "MOST_SKEW", 0)

    def join(stop: threading.Event) -> None:
        run_folding("join", services, spark, stop, recover=True)

    turns, checkpoint = (
        Turns(monkeypatch, Folding),
        Path(spark.checkpoints) / f"join-{spark.buckets}",
    )
    for name, damage in (STATE | LOGS).items():
        turns.one(join)
        assert must_be_there(stores, tale) <= funnels_on(stores) <= expected, name
        damage(newest(checkpoint))
    turns.all(join)
    assert funnels_on(stores) == expected
    assert int(newest(checkpoint).name) > len(LOGS) // 2  # as few as when folders go, too
    _observe_and_learn(services, spark, stores, tale)


def _observe_and_learn(
    services: Services, spark: SparkSettings, stores: Stores, tale: Tale
) -> None:
    stop = threading.Event()
    run_folding("observe", services, spark, stop, recover=True)
    run_learning(DECLARED, services, spark, stop, recover=True)
    standing = stores.states("learn").load()
    assert standing.sums == tale.told.sums(tale.book)
    assert {k: n for k, n in standing.counts.items() if n} == tale.told.counts()
