"""Appending to Kafka: idempotent, on all replicas, in a bounded buffer."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from croupier.adapters.kafka.cluster import MOST_BYTES, Cluster
from croupier.adapters.kafka.line import Delivery, Line
from croupier.core import codec

_USUAL_BYTES = 512 << 10
_POLL_SECONDS = 0.1


class Appender:
    """Sends messages to partitions; a thread of its own hears what became of them.

    Invariant: every future ends, for a producer that is given up is ended with all that was under
    way on it, and another takes its place.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._gate = threading.Lock()
        self._closed = threading.Event()
        self._line = Line(cluster)
        self._thread = threading.Thread(target=self._run, name="croupier-kafka", daemon=True)
        self._thread.start()

    def append(self, topic: str, shares: Iterable[tuple[int, Sequence[bytes]]]) -> "Future[int]":
        """Append each partition's records; the future holds the newest stamp when all are durable.

        ValueError for a record that no message can hold.
        """
        messages = [
            (partition, codec.join(part)) for partition, share in shares for part in _parts(share)
        ]
        delivery = Delivery(self._cluster, len(messages))
        with self._gate:
            if self._closed.is_set():
                delivery.fail("the log is closed")
            else:
                self._line.send(topic, messages, delivery)
        return delivery.future

    def close(self) -> None:
        """Wait for what is under way, as long as our patience goes."""
        with self._gate:
            if self._closed.is_set():
                return
            self._closed.set()
        self._thread.join()
        self._line.end(self._cluster.patience)

    def _run(self) -> None:
        while not self._closed.is_set():
            self._line.poll(_POLL_SECONDS)
            if self._line.broken:
                with self._gate:
                    given_up, self._line = self._line, Line(self._cluster)
                given_up.end(0)


def _parts(share: Sequence[bytes]) -> Iterator[list[bytes]]:
    """As few messages as hold the records; most of them hold all."""
    part: list[Any] = []
    size = 0
    for record in share:
        if len(record) > MOST_BYTES - 1024:
            raise ValueError(f"a record of {len(record)} bytes: at most {MOST_BYTES - 1024}")
        if part and size + len(record) > _USUAL_BYTES:
            yield part
            part, size = [], 0
        part.append(record)
        size += len(record)
    if part:
        yield part
