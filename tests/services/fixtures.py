"""Servers for tests: what the environment names, or our own, started when first asked for.

CROUPIER_TEST_REDIS, CROUPIER_TEST_POSTGRES and CROUPIER_TEST_KAFKA name running ones, as `make
services` prints them. Tests that stop, pause or kill a server always use one of our own.
"""

import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from croupier.config.services import Services
from tests.services.servers import Kafka, Postgres, Redis
from tests.services.service import Service, ServiceError, free_port

Running = Callable[[type[Service]], Service]

URLS: dict[type[Service], str] = {}
"""Filled by `provide`."""


def in_ci() -> bool:
    """There, a server that is missing is a failure."""
    return bool(os.environ.get("CI"))


def provide(kind: type[Service], running: Running) -> str:
    """Its URL: the environment's, or that of a server of our own."""
    if kind not in URLS:
        given = os.environ.get(f"CROUPIER_TEST_{kind.name.upper()}")
        URLS[kind] = given or running(kind).url
    return URLS[kind]


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


@pytest.fixture
def services(running: Running) -> Services:
    """Kafka, PostgreSQL and Redis, with nothing in them that is another test's."""
    name = f"t{uuid.uuid4().hex[:12]}"
    return Services(
        log=f"{provide(Kafka, running)}/{name}?partitions=2",
        states=f"{provide(Postgres, running)}?schema={name}",
        cache=f"{provide(Redis, running)}?prefix={name}",
    )
