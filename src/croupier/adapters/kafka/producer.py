"""Appending to Kafka: idempotent, on all replicas, in a bounded buffer."""

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from croupier.adapters.kafka.cluster import MOST_BYTES, Cluster
from croupier.core import codec
from croupier.ports import UnavailableError

_LOG = logging.getLogger(__name__)
_USUAL_BYTES = 512 << 10
_BUFFERED_KBYTES, _BUFFERED_MESSAGES = 64 << 10, 100_000
_LINGER_MS = 2
_POLL_SECONDS = 0.1


class Appender:
    """Sends messages to partitions; a thread of its own hears what became of them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._gate = threading.Lock()
        self._broken = False
        self._closed = threading.Event()
        self._producer = self._make()
        self._thread = threading.Thread(target=self._run, name="croupier-kafka", daemon=True)
        self._thread.start()

    def append(self, topic: str, shares: Iterable[tuple[int, Sequence[bytes]]]) -> "Future[int]":
        """Append each partition's records; the future holds the newest stamp when all are durable.

        ValueError for a record that no message can hold.
        """
        messages = [
            (partition, codec.join(part)) for partition, share in shares for part in _parts(share)
        ]
        delivery = _Delivery(self._cluster, len(messages))
        with self._gate:
            if self._closed.is_set():
                delivery.fail(len(messages), "the log is closed")
                return delivery.future
            if self._broken:
                self._producer, self._broken = self._make(), False
            for sent, (partition, payload) in enumerate(messages):
                try:
                    self._producer.produce(
                        topic, payload, partition=partition, on_delivery=delivery.hear
                    )
                except BufferError:
                    delivery.fail(len(messages) - sent, "too much is waiting for the brokers")
                    break
                except KafkaException as error:
                    delivery.fail(len(messages) - sent, error.args[0].str())
                    break
        return delivery.future

    def close(self) -> None:
        """Wait for what is under way, as long as our patience goes."""
        with self._gate:
            if self._closed.is_set():
                return
            self._closed.set()
        self._thread.join()
        if self._producer.flush(self._cluster.patience):
            self._producer.purge()
            self._producer.flush(1)

    def _make(self) -> Producer:
        return Producer(
            self._cluster.settings(
                **{
                    "enable.idempotence": True,  # implies acks=all and order
                    "delivery.timeout.ms": int(self._cluster.patience * 1000),
                    "linger.ms": _LINGER_MS,
                    "compression.type": "lz4",
                    "message.max.bytes": MOST_BYTES,
                    "queue.buffering.max.kbytes": _BUFFERED_KBYTES,
                    "queue.buffering.max.messages": _BUFFERED_MESSAGES,
                    "error_cb": self._on_error,
                }
            )
        )

    def _on_error(self, error: KafkaError) -> None:
        """After a fatal error a producer refuses everything: the next append makes a new one."""
        if error.fatal():
            _LOG.error("kafka producer given up: %s", error.str())
            self._broken = True

    def _run(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(_POLL_SECONDS)


class _Delivery:
    """How many messages of one append are still under way, and what became of the others."""

    def __init__(self, cluster: Cluster, count: int) -> None:
        self.future: Future[int] = Future()
        self.future.set_running_or_notify_cancel()  # what is under way cannot be called back
        self._cluster, self._left, self._stamp = cluster, count, 0
        self._error = ""
        self._lock = threading.Lock()
        if not count:
            self.future.set_result(0)

    def hear(self, error: KafkaError | None, message: Message) -> None:
        """What became of one message."""
        if error is None:
            self._stamp = max(self._stamp, message.timestamp()[1])
        self._account(1, "" if error is None else error.str())

    def fail(self, count: int, reason: str) -> None:
        """As many were not even sent."""
        if count:
            self._account(count, reason)

    def _account(self, count: int, reason: str) -> None:
        with self._lock:
            self._left -= count
            self._error = self._error or reason
            if self._left:
                return
        if self._error:
            reason = f"kafka {self._cluster.servers}: {self._error}"
            self.future.set_exception(UnavailableError(reason))
        else:
            self.future.set_result(self._stamp)


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
