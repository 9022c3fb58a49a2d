"""One Kafka producer, and what is under way on it: nobody waits for ever."""

import logging
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from croupier.adapters.kafka.cluster import MOST_BYTES, Cluster
from croupier.ports import UnavailableError

_LOG = logging.getLogger(__name__)
_BUFFERED_KBYTES, _BUFFERED_MESSAGES = 64 << 10, 100_000
_LINGER_MS = 2


class Line:
    """An idempotent producer, until a fatal error: then it is `broken`, and takes nothing more.

    confluent-kafka raises a fatal error out of `poll`, `flush` or `produce`, whichever is called.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.broken = False
        self._under_way: set[Delivery] = set()
        self._producer = Producer(
            cluster.settings(
                **{
                    "enable.idempotence": True,  # implies acks=all and order
                    "delivery.timeout.ms": int(cluster.patience * 1000),
                    "linger.ms": _LINGER_MS,
                    "compression.type": "lz4",
                    "message.max.bytes": MOST_BYTES,
                    "queue.buffering.max.kbytes": _BUFFERED_KBYTES,
                    "queue.buffering.max.messages": _BUFFERED_MESSAGES,
                }
            )
        )

    def send(self, topic: str, messages: Iterable[tuple[int, bytes]], delivery: "Delivery") -> None:
        """Hand over each partition's message; what cannot be is told to the delivery."""
        self._under_way.add(delivery)
        delivery.future.add_done_callback(lambda _: self._under_way.discard(delivery))
        for partition, payload in messages:
            try:
                self._producer.produce(
                    topic, payload, partition=partition, on_delivery=delivery.hear
                )
            except BufferError:
                delivery.fail("too much is waiting for the brokers")
                return
            except KafkaException as error:
                self._judge(error)
                delivery.fail(error.args[0].str())
                return

    def poll(self, seconds: float) -> None:
        """Hear what became of messages."""
        try:
            self._producer.poll(seconds)
        except KafkaException as error:
            self._judge(error)

    def end(self, patience: float) -> None:
        """Wait for what is under way, so long; of what is left nobody knows, and that is told."""
        with suppress(KafkaException):
            if self.broken or self._producer.flush(patience):
                self._producer.purge()
                self._producer.flush(1)
        for delivery in list(self._under_way):
            delivery.fail("the producer was given up")

    def _judge(self, error: KafkaException) -> None:
        found: KafkaError = error.args[0]
        if not self.broken and (found.fatal() or found.name() == "_FATAL"):
            self.broken = True
            _LOG.error("kafka producer given up: %s", found.str())


class Delivery:
    """How many messages of one append are still under way, and what became of the others."""

    def __init__(self, cluster: Cluster, count: int) -> None:
        self.future: Future[int] = Future()
        self.future.set_running_or_notify_cancel()  # what is under way cannot be called back
        self._cluster, self._left, self._stamp = cluster, count, 0
        self._lock = threading.Lock()
        if not count:
            self.future.set_result(0)

    def hear(self, error: KafkaError | None, message: Message) -> None:
        """What became of one message; the first failure is that of the append."""
        if error is not None:
            self.fail(error.str())
            return
        with self._lock:
            self._stamp = max(self._stamp, message.timestamp()[1])
            self._left -= 1
            done = self._left == 0
        if done:
            self.future.set_result(self._stamp)

    def fail(self, reason: str) -> None:
        """Not all of it was taken, or nobody knows: whoever appends may send it again."""
        with self._lock:
            told, self._left = self._left <= 0, -1
        if not told:
            reason = f"kafka {self._cluster.servers}: {reason}"
            self.future.set_exception(UnavailableError(reason))
