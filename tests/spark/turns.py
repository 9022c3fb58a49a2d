"""A ring on Spark in one process: a turn of an app at a time, held against brute force."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from croupier.config.services import Services, Stores
from croupier.config.settings import Settings
from croupier.config.spark import SparkSettings
from croupier.core import codec
from croupier.core.fold import Stage
from croupier.core.records import Observation
from croupier.ports import FUNNELS, OBSERVATIONS, UnusableError, entries_between, partition_of
from croupier.runners import history
from croupier.runners.spark.folding import Folding
from croupier.runners.spark.gathering import Gathering
from croupier.runners.spark.process import run_folding, run_learning
from croupier.runners.spark.turn import App
from tests.laws.oracle import Told, Trial, trial_of
from tests.laws.test_chain import text
from tests.spark.damages import numbered
from tests.spark.tale import Tale, funnels_on, must_be_there

APPS = ("join", "observe", "learn")
_DECLARED = Settings(experiments=())
_PATIENCE = 400.0
"""A turn takes seconds; what takes so long hangs."""
_STARTS = 3


class Turns:
    """Each app runs until it has committed something new, or all there is.

    It is then stopped as soon as Spark's own commit is written: in the middle of the next batch.
    """

    def __init__(
        self,
        services: Services,
        spark: SparkSettings,
        stores: Stores,
        tale: Tale,
        patch: pytest.MonkeyPatch,
    ) -> None:
        self._services, self._spark, self._stores, self._tale = services, spark, stores, tale
        self._stop, self._folder, self._whole = threading.Event(), Path(), False
        self._funnels = {text(funnel) for _, funnel in tale.told.funnels}
        self._trials = Counter(trial for _, trial in tale.told.trials)
        # Told by one clock: re-reading begins where the oldest open story can, and no earlier.
        patch.setattr(history, "MOST_SKEW", 0)
        for driver in (Folding, Gathering):
            patch.setattr(driver, "take", self._watched(driver.take))

    def checkpoints(self, app: str) -> Path:
        """The folder of an app's numbered folders."""
        name = app if app == "learn" else f"{app}-{self._spark.buckets}"
        return Path(self._spark.checkpoints) / name

    def newest(self, app: str) -> Path:
        """The checkpoint that counts."""
        return newest(self.checkpoints(app))

    def turn(self, app: str, *, whole: bool = False) -> None:
        """Run an app for one turn, or to the end; AssertionError when it hangs.

        One that ends with an error is started again, a few times, as whatever runs it would do:
        Spark gives a Python process ten seconds to start, which may be too few on a busy machine.
        """
        self._whole, self._folder = whole, self.checkpoints(app)
        for left in reversed(range(_STARTS)):
            try:
                with _patience() as self._stop:
                    self._run(app)
            except UnusableError:
                if not left:
                    raise
            else:
                _let_go_of_state()
                return

    def _run(self, app: str) -> None:
        if app == "learn":
            run_learning(_DECLARED, self._services, self._spark, self._stop, recover=True)
        else:
            name: App = "join" if app == "join" else "observe"
            run_folding(name, self._services, self._spark, self._stop, recover=True)

    def check(self, app: str, said: str) -> None:
        """What an app has committed is told, once, and nothing that brute force does not tell."""
        if app == "join":
            there = funnels_on(self._stores)
            assert must_be_there(self._stores, self._tale) <= there <= self._funnels, said
        elif app == "observe":
            assert self._due() <= self._observed() <= self._trials, said
        else:
            standing = self._stores.states("learn").load()
            read = self._observed(standing.positions)
            told = Told([], [(0, trial) for trial in read.elements()], set())
            assert standing.sums == told.sums(self._tale.book), said

    def check_all(self) -> None:
        """After the last turns: exactly what brute force tells."""
        standing, told = self._stores.states("learn").load(), self._tale.told
        assert funnels_on(self._stores) == self._funnels
        assert self._observed() == self._trials
        assert standing.sums == told.sums(self._tale.book)
        assert {k: n for k, n in standing.counts.items() if n} == told.counts()

    def _observed(self, until: dict[int, int] | None = None) -> Counter[Trial]:
        """The observations on the log up to some positions; told twice, they are the same."""
        log, found = self._stores.log, dict[bytes, Observation]()
        ends = log.ends(OBSERVATIONS) if until is None else until
        for entries in entries_between(log, OBSERVATIONS, {}, ends):
            for one in codec.decode_all(entry.payload for entry in entries):
                if isinstance(one, Observation):
                    assert found.setdefault(one.id, one) == one
        return Counter(map(trial_of, found.values()))

    def _due(self) -> Counter[Trial]:
        """The trials of sessions that closed by the watermarks that observe has committed."""
        parts = len(self._stores.log.ends(FUNNELS))
        reached = [
            self._stores.states(f"observe.{number}").load("").watermark for number in range(parts)
        ]
        return Counter(
            trial
            for deadline, trial in self._tale.told.trials
            if Stage.closes(deadline)
            <= reached[partition_of(b"%s\0%s" % (trial.experiment.encode(), trial.unit), parts)]
        )

    def _watched(self, take: Any) -> Any:
        def taken(driver: Any, rows: Any) -> None:
            before = driver.stood()
            take(driver, rows)
            if not self._whole and driver.stood() != before:
                threading.Thread(
                    target=_stop_once_committed, args=(self._stop, self._folder), daemon=True
                ).start()

        return taken


def newest(checkpoints: Path) -> Path:
    return max(checkpoints.iterdir(), key=lambda each: int(each.name))


@contextmanager
def _patience() -> Iterator[threading.Event]:
    """What stops a run; it is set at the end, and after a patience that nobody should need."""
    stop = threading.Event()
    timer = threading.Timer(_PATIENCE, stop.set)
    timer.start()
    began = time.monotonic()
    try:
        yield stop
    finally:
        timer.cancel()
        stop.set()
    assert time.monotonic() - began < _PATIENCE, "it hangs"


def committed(checkpoint: Path) -> list[Path]:
    """The batches that Spark has committed, not one whose file it is still writing."""
    commits = checkpoint / "commits"
    return numbered(commits) if commits.is_dir() else []


def _let_go_of_state() -> None:
    """Another process would read the state from its files: so does the next turn in this one."""
    from pyspark.sql import SparkSession

    java: Any = SparkSession.active()._jvm
    getattr(java, "org.apache.spark.sql.execution.streaming.state.StateStore$").__getattr__(
        "MODULE$"
    ).stop()


def _stop_once_committed(stop: threading.Event, checkpoints: Path) -> None:
    before = committed(newest(checkpoints))
    while not stop.is_set() and committed(newest(checkpoints)) == before:
        time.sleep(0.05)
    stop.set()
