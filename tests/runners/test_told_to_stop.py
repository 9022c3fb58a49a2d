"""SIGTERM while the services are away: a process says so in one line, and ends without an error."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from croupier.config.services import Services
from croupier.config.settings import Settings
from croupier.config.spark import SparkSettings
from croupier.runners.distributed.process import run_learner, run_worker
from croupier.runners.distributed.share import Share
from croupier.runners.spark.process import run_folding, run_learning
from tests.services.service import free_port

AWAY = f"127.0.0.1:{free_port()}"
SERVICES = Services(f"kafka://{AWAY}", f"postgresql://nobody@{AWAY}/x", f"redis://{AWAY}/0")
NOTHING = Settings(experiments=())
SPARK = SparkSettings("nowhere", "now", 1, 1, None, {})
STOP = threading.Event()


class StopsWhenWaiting(logging.Handler):
    """Sends SIGTERM as soon as a process says that it tries again."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("trying again"):
            STOP.set()
            signal.raise_signal(signal.SIGTERM)


@pytest.fixture(autouse=True)
def stopping() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: None) for number in numbers]
    STOP.clear()
    log, handler = logging.getLogger("croupier"), StopsWhenWaiting()
    log.addHandler(handler)
    yield
    log.removeHandler(handler)
    for number, handled in zip(numbers, before, strict=True):
        signal.signal(number, handled)


@pytest.mark.parametrize(
    "run",
    [
        lambda: run_worker("join", SERVICES, Share.parse("1/1"), lambda: None),
        lambda: run_learner(NOTHING, SERVICES, lambda: None),
        lambda: run_folding("join", SERVICES, SPARK, STOP, recover=False),
        lambda: run_learning(NOTHING, SERVICES, SPARK, STOP, recover=False),
    ],
    ids=["join", "learn", "spark join", "spark learn"],
)
def test_a_process_that_waits_for_its_services_is_stopped(
    run: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    run()
    assert caplog.records[-1].getMessage().startswith("stopped while waiting: ")
