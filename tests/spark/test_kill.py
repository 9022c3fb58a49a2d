"""`croupier spark` killed with −9 in the middle of batches: its driver, then its JVM."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from croupier.config.services import Services, Stores, open_stores
from croupier.config.spark import SparkSettings
from croupier.core.records import Observation
from croupier.ports import EVENTS, OBSERVATIONS
from croupier.runners.spark.process import run_folding
from tests.laws.test_chain import text
from tests.spark.tale import funnels_on, must_be_there, read_back, records, tell_on, wait_for

pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore")]
_MAIN = "from croupier.cli import main; main()"
_TOML = """
[[experiment]]
name = "aside"
arms = ["x", "y"]
default = "x"
reward = { click = 1.0 }
"""
_SECONDS = 120.0


class Process:
    """One `croupier spark …`, which may be killed and started again."""

    def __init__(self, services: Services, spark: SparkSettings, folder: Path) -> None:
        self._services, self._spark, self._folder = services, spark, folder
        (folder / "croupier.toml").write_text(_TOML)
        self._running: subprocess.Popen[bytes] | None = None

    def start(self, app: str, most: int) -> None:
        log, states, cache = self._services
        options = [f"--option={key}={value}" for key, value in self._spark.options.items()]
        command = [sys.executable, "-W", "ignore", "-c", _MAIN, "spark", app, "--recover"]
        command += ["--log", log, "--states", states, "--cache", cache, "--master", "local[2]"]
        command += ["--checkpoints", self._spark.checkpoints, "--trigger", "200ms"]
        command += ["--most", str(most), *options]
        with (self._folder / "output.log").open("ab") as output:
            self._running = subprocess.Popen(
                command, cwd=self._folder, stdout=output, stderr=output, start_new_session=True
            )

    @property
    def jvm(self) -> int:
        """The child of the driver that is Java."""
        assert self._running
        children = Path(f"/proc/{self._running.pid}/task/{self._running.pid}/children")
        pids = [int(pid) for pid in children.read_text().split()]
        return next(pid for pid in pids if "java" in Path(f"/proc/{pid}/comm").read_text())

    def kill(self, *, jvm: bool = False) -> None:
        """Kill one of the two; the other ends by itself."""
        assert self._running
        java = self.jvm
        os.kill(java if jvm else self._running.pid, signal.SIGKILL)
        assert self._running.wait(60) != 0
        assert wait_for(lambda: not Path(f"/proc/{java}").exists(), 60)

    def stop(self) -> int:
        assert self._running
        self._running.terminate()
        return self._running.wait(60)

    def clean(self) -> None:
        if self._running is not None and self._running.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._running.pid, signal.SIGKILL)
            self._running.wait(30)


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


def test_killed_in_the_middle(
    services: Services, spark: SparkSettings, stores: Stores, process: Process
) -> None:
    tale = read_back(stores.log, tell_on(stores.log, seed=5))
    told = sum(stores.log.ends(EVENTS).values())

    def joined() -> bool:
        """All that was told is committed, its last tick included, by which sessions are over."""
        at = sum(position(f"join.{number}") for number in stores.log.ends(EVENTS))
        return at >= told and funnels_on(stores) == must_be_there(stores, tale) == expected

    def position(scope: str) -> int:
        return sum(stores.states(scope).load("").positions.values())

    def killed_after(app: str, most: int, scope: str, *, jvm: bool = False) -> None:
        before = position(scope)
        process.start(app, most)
        assert wait_for(lambda: position(scope) > before, _SECONDS), "no batch was committed"
        time.sleep(0.3)  # into the next batch: they follow one another
        process.kill(jvm=jvm)

    def finished(app: str, most: int, done: Callable[[], bool]) -> None:
        process.start(app, most)
        assert wait_for(done, _SECONDS)
        assert process.stop() == 0

    expected = {text(funnel) for _, funnel in tale.told.funnels}
    killed_after("join", 20, "join.0")
    killed_after("join", 20, "join.0", jvm=True)
    assert must_be_there(stores, tale) <= funnels_on(stores)
    finished("join", 400, joined)

    run_folding("observe", services, spark._replace(most=10), threading.Event(), recover=True)
    assert len(list(records(stores.log, OBSERVATIONS, Observation))) == len(tale.told.trials)
    killed_after("learn", 4, "learn")
    killed_after("learn", 4, "learn", jvm=True)
    sums = tale.told.sums(tale.book)
    finished("learn", 100, lambda: stores.states("learn").load().sums == sums)
    counts = stores.states("learn").load().counts
    assert {place: n for place, n in counts.items() if n} == tale.told.counts()
