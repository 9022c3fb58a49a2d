"""The fixtures of the contracts: `opened` is each technology, `reopen` each of those that last.

A file of contracts says which PORT it is about; a test may ask for more: `@only(ours=True)`.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.adapters.backends import START, TECHNOLOGIES, URLS, Opened, in_ci, members
from tests.laws.streams import HandClock
from tests.services.servers import Kafka, Postgres, Redis
from tests.services.service import Service, ServiceError, free_port


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only: the technologies that a contract is about")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    port = getattr(metafunc.module, "PORT", None)
    only = metafunc.definition.get_closest_marker("only")
    wanted = only.kwargs if only else {}
    if port and "opened" in metafunc.fixturenames:
        metafunc.parametrize("opened", members(port, **wanted), indirect=True)
    if port and "reopen" in metafunc.fixturenames:
        metafunc.parametrize("reopen", members(port, lasts=True, **wanted), indirect=True)


Running = Callable[[type[Service]], Service]


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    """Servers of our own, each started when it is first asked for, all stopped at the end."""
    started: dict[type[Service], Service] = {}
    with tempfile.TemporaryDirectory(prefix="croupier-services-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user

        def ask(kind: type[Service]) -> Service:
            if kind not in started:
                service = kind(Path(folder) / kind.name, free_port())
                try:
                    service.start()
                except ServiceError as error:
                    service.stop()
                    (pytest.fail if in_ci() else pytest.skip)(str(error))
                started[kind] = service
            return started[kind]

        yield ask
        for service in started.values():
            service.stop()


def provide(kind: type[Service], running: Running) -> None:
    """Its URL: the environment's, or that of a server of our own."""
    if kind not in URLS:
        given = os.environ.get(f"CROUPIER_TEST_{kind.name.upper()}")
        URLS[kind] = given or running(kind).url


@pytest.fixture(scope="session")
def services(running: Running) -> None:
    """All three."""
    for kind in (Redis, Postgres, Kafka):
        provide(kind, running)


@pytest.fixture
def opened(request: pytest.FixtureRequest, tmp_path: Path, running: Running) -> Iterator[Opened]:
    technology = TECHNOLOGIES[request.param]
    if technology.service:
        provide(technology.service, running)
    one = technology.open(tmp_path, HandClock(START))
    yield one
    one.close()


@pytest.fixture
def reopen(
    request: pytest.FixtureRequest, tmp_path: Path, running: Running
) -> Iterator[Callable[[int], Opened]]:
    """Close what was opened before, and open it again with the wall clock at some time."""
    technology = TECHNOLOGIES[request.param]
    if technology.service:
        provide(technology.service, running)
    now: list[Opened] = []

    def again(wall: int) -> Opened:
        while now:
            now.pop().close()
        now.append(technology.open(tmp_path, HandClock(wall)))
        return now[0]

    yield again
    for one in now:
        one.close()
