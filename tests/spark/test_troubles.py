"""Spark's three queries while the broker, the database and Redis go: they go on by themselves."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from croupier.config.services import Services, Stores, open_stores
from croupier.config.settings import Settings
from croupier.config.spark import SparkSettings
from croupier.ports import UnavailableError, UnusableError
from croupier.runners.spark.process import run_folding, run_learning
from tests.laws.test_chain import text
from tests.services.fixtures import Running
from tests.services.servers import Kafka, Postgres, Redis
from tests.spark.tale import funnels_on, read_back, tell_on, wait_for

pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore")]
_PATIENCE = 300.0


@pytest.fixture
def services(running: Running) -> Services:
    """Servers of our own, whatever the environment names: they are killed."""
    return Services(
        f"{running(Kafka).url}/troubles?partitions=2",
        f"{running(Postgres).url}?schema=troubles",
        f"{running(Redis).url}?prefix=troubles",
    )


@pytest.fixture
def stores(services: Services) -> Iterator[Stores]:
    opened = open_stores(services)
    yield opened
    opened.close()


class Kept:
    """An app in a thread: started again, as a supervisor would, when it ends with an error."""

    def __init__(self, run: Callable[[threading.Event], None]) -> None:
        self._run, self._stop = run, threading.Event()
        self.errors: list[Exception] = []
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def _keep(self) -> None:
        while not self._stop.is_set():
            try:
                self._run(self._stop)
            except (UnavailableError, UnusableError) as error:
                self.errors.append(error)

    def end(self) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


def test_services_come_and_go(
    services: Services, spark: SparkSettings, stores: Stores, running: Running
) -> None:
    tale = read_back(stores.log, tell_on(stores.log, seed=3))
    spark = spark._replace(trigger="200ms", most=20)
    apps = [
        Kept(lambda stop: run_folding("join", services, spark, stop, recover=True)),
        Kept(lambda stop: run_folding("observe", services, spark, stop, recover=True)),
        Kept(
            lambda stop: run_learning(Settings(experiments=()), services, spark, stop, recover=True)
        ),
    ]
    sums = tale.told.sums(tale.book)

    def stood(scope: str) -> int:
        try:
            return sum(stores.states(scope).load("").positions.values())
        except UnavailableError:
            return -1

    def goes_on() -> None:
        before = {scope: stood(scope) for scope in ("join.0", "join.1", "learn")}
        assert wait_for(
            lambda: all(stood(scope) > at for scope, at in before.items()), _PATIENCE
        ), [app.errors for app in apps]

    try:
        goes_on()
        for kind in (Kafka, Postgres):
            running(kind).kill()
            running(kind).start()
            goes_on()
        _flush(running(Redis).port)
        goes_on()
        assert wait_for(lambda: stores.states("learn").load().sums == sums, _PATIENCE)
        shown = wait_for(
            lambda: all(stores.front.latest(name) for name in tale.book.names()), _PATIENCE
        )
        assert shown
    finally:
        for app in apps:
            app.end()
    assert funnels_on(stores) == {text(funnel) for _, funnel in tale.told.funnels}
    counts = stores.states("learn").load().counts
    assert {place: n for place, n in counts.items() if n} == tale.told.counts()


def _flush(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 5) as one:
        one.sendall(b"FLUSHALL\r\n")
        assert one.recv(100) == b"+OK\r\n"
