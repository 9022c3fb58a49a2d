"""Servers for tests: what the environment names, or our own, started when first asked for.

CROUPIER_TEST_REDIS, CROUPIER_TEST_POSTGRES and CROUPIER_TEST_KAFKA name running ones, as `make
services` prints them. Tests that stop, pause or kill a server always use one of our own.
"""

import os
import uuid
from collections.abc import Iterator

import pytest

from croupier.config.services import Services
from tests.services.own import Start, own_servers
from tests.services.servers import Kafka, Postgres, Redis
from tests.services.service import Service, ServiceError

Running = Start

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
    with own_servers() as start:

        def ask(kind: type[Service]) -> Service:
            try:
                return start(kind)
            except ServiceError as error:
                (pytest.fail if in_ci() else pytest.skip)(str(error))

        yield ask


@pytest.fixture
def services(running: Running) -> Services:
    """Kafka, PostgreSQL and Redis, with nothing in them that is another test's."""
    name = f"t{uuid.uuid4().hex[:12]}"
    return Services(
        log=f"{provide(Kafka, running)}/{name}?partitions=2",
        states=f"{provide(Postgres, running)}?schema={name}",
        cache=f"{provide(Redis, running)}?prefix={name}",
    )
