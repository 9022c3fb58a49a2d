"""Servers of one's own for a while: each started when first asked for, all stopped at the end."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from croupier.config.services import Services
from tests.services.servers import Kafka, Postgres, Redis
from tests.services.service import Service, free_port

Start = Callable[[type[Service]], Service]


@contextmanager
def own_servers() -> Iterator[Start]:
    """What starts a server, once; ServiceError when it cannot be started here."""
    started: dict[type[Service], Service] = {}
    with tempfile.TemporaryDirectory(prefix="croupier-services-") as folder, ExitStack() as stack:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user

        def start(kind: type[Service]) -> Service:
            if kind not in started:
                service = kind(Path(folder) / kind.name, free_port())
                stack.callback(service.stop)  # one that answers too late runs nevertheless
                service.start()
                started[kind] = service
            return started[kind]

        yield start


def services_on(start: Start, prefix: str, partitions: int) -> Services:
    """For one ring, with nothing in them of another; ServiceError when one cannot be started."""
    kafka, postgres, redis = (start(kind) for kind in (Kafka, Postgres, Redis))
    return Services(
        f"{kafka.url}/{prefix}?partitions={partitions}",
        f"{postgres.url}?schema={prefix}",
        f"{redis.url}?prefix={prefix}",
    )


@contextmanager
def own_services(prefix: str, partitions: int) -> Iterator[Services]:
    """The same on servers of one's own."""
    with own_servers() as start:
        yield services_on(start, prefix, partitions)
