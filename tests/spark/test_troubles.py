"""Spark's queries while the broker, the database and Redis go: they go on by themselves."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from croupier.config.services import Services, Stores, open_stores
from croupier.config.settings import Settings
from croupier.config.spark import SparkSettings
from croupier.ports import EVENTS, FUNNELS, OBSERVATIONS, UnavailableError, UnusableError
from croupier.runners.spark.process import run_folding, run_learning
from tests.laws.test_chain import text
from tests.services.fixtures import Running
from tests.services.servers import Kafka, Postgres, Redis
from tests.services.service import Service, ServiceError
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


def stood(stores: Stores, topic: str) -> int:
    """How far the reader of a topic is committed; −1 when nobody can say."""
    app = {EVENTS: "join", FUNNELS: "observe"}.get(topic, "learn")
    scopes = [app] if app == "learn" else [f"{app}.{number}" for number in range(2)]
    try:
        return sum(sum(stores.states(one).load("").positions.values()) for one in scopes)
    except UnavailableError:
        return -1


def reaches(stores: Stores, topic: str, position: int, kept: Kept) -> None:
    assert wait_for(lambda: stood(stores, topic) >= position, _PATIENCE), kept.errors


def troubles(running: Running) -> list[Callable[[], None]]:
    """Each is over, and made good, when it returns."""

    def restart(kind: type[Service]) -> None:
        running(kind).kill()
        assert wait_for(lambda: _started(running(kind)), _PATIENCE)

    return [
        lambda: restart(Kafka),
        lambda: restart(Postgres),
        lambda: _flush(running(Redis).port),
    ]


def test_services_come_and_go(
    services: Services, spark: SparkSettings, stores: Stores, running: Running
) -> None:
    """Under each app in turn: the broker and the database are killed, and Redis is emptied."""
    tale = read_back(stores.log, tell_on(stores.log, seed=3))
    spark = spark._replace(trigger="200ms", most=8)
    runs: dict[str, Callable[[threading.Event], None]] = {
        EVENTS: lambda stop: run_folding("join", services, spark, stop, recover=True),
        FUNNELS: lambda stop: run_folding("observe", services, spark, stop, recover=True),
        OBSERVATIONS: lambda stop: run_learning(
            Settings(experiments=()), services, spark, stop, recover=True
        ),
    }

    names = tale.book.names()
    for topic, run in runs.items():
        end, kept = sum(stores.log.ends(topic).values()), Kept(run)
        try:
            for trouble in troubles(running):
                reaches(stores, topic, min(stood(stores, topic) + 1, end), kept)
                trouble()
            reaches(stores, topic, end, kept)
            if topic == OBSERVATIONS:
                assert wait_for(lambda: all(map(stores.front.latest, names)), _PATIENCE)
        finally:
            kept.end()
    assert funnels_on(stores) == {text(funnel) for _, funnel in tale.told.funnels}
    standing = stores.states("learn").load()
    assert standing.sums == tale.told.sums(tale.book)
    assert {place: n for place, n in standing.counts.items() if n} == tale.told.counts()


def _started(service: Service) -> bool:
    """False when its port has been given to somebody's connection meanwhile: that passes."""
    with suppress(ServiceError):
        service.start()
        return True
    return False


def _flush(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 5) as one:
        one.sendall(b"FLUSHALL\r\n")
        assert one.recv(100) == b"+OK\r\n"
