"""Which Kafka, and what our topics in it are called."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from croupier.ports import ARMS

MOST_BYTES = 8 << 20
"""The largest message; a record cannot be larger."""


class Cluster(NamedTuple):
    """A Kafka cluster as we use it; `options` are librdkafka's, for example for SASL and TLS.

    Topics are named `prefix.topic`. A call that was not answered within `patience` seconds fails.
    """

    servers: str
    prefix: str
    partitions: int = 1
    replication: int = -1
    patience: float = 10.0
    options: Mapping[str, str] = {}

    def settings(self, **ours: Any) -> dict[str, Any]:
        """What every client of this cluster is configured with."""
        return {"bootstrap.servers": self.servers, **self.options, "log_level": 2, **ours}

    def topic(self, name: str) -> str:
        """The topic's name in Kafka."""
        return f"{self.prefix}.{name}"

    def parts(self, topic: str) -> range:
        """Its partitions as declared; `arms` is a history, and has one."""
        return range(1 if topic == ARMS else self.partitions)
