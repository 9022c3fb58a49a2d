"""Dead letters on Kafka: records as they were, with the reason in headers."""

from collections.abc import Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from croupier.adapters.kafka.cluster import Cluster
from croupier.ports import DeadLetter, UnavailableError

_KEEP = {"retention.ms": str(30 * 86_400_000)}


class KafkaDeadLetters:
    """DeadLetters in a topic, which is made where it is missing, and else taken as it is."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster, self._topic = cluster, topic
        self._make()
        self._producer = Producer(
            cluster.settings(
                **{
                    "acks": "all",  # not idempotent: fatal errors end those; keys tell twins
                    "delivery.timeout.ms": int(cluster.patience * 1000),
                    "compression.type": "lz4",
                }
            )
        )

    def put(self, letters: Sequence[DeadLetter]) -> None:
        """Send them; return when all replicas have them."""
        faults: list[str] = []

        def hear(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                faults.append(error.str())

        for letter in letters:
            try:
                self._producer.produce(
                    self._topic,
                    letter.value,
                    letter.key,
                    headers=list(letter.headers),
                    on_delivery=hear,
                )
            except (BufferError, KafkaException) as error:
                faults.append(str(error))
                break
        if self._producer.flush(self._cluster.patience + 1):
            faults.append("no answer")
        if faults:
            raise self._away(faults[0])

    def close(self) -> None:
        """Nothing is under way between calls."""

    def _make(self) -> None:
        new = NewTopic(self._topic, 1, self._cluster.replication, config=_KEEP)
        try:
            admin = AdminClient(self._cluster.settings())
            if self._topic in admin.list_topics(timeout=self._cluster.patience).topics:
                return
            made = admin.create_topics([new], request_timeout=self._cluster.patience)
            made[self._topic].result(self._cluster.patience + 1)
        except (KafkaException, TimeoutError) as error:
            reason = error.args[0] if error.args else "no answer"
            known = KafkaError.TOPIC_ALREADY_EXISTS
            if not isinstance(reason, KafkaError) or reason.code() != known:
                raise self._away(str(reason)) from error

    def _away(self, reason: str) -> UnavailableError:
        where = f"kafka {self._cluster.servers}: dead letters in {self._topic}"
        return UnavailableError(f"{where}: {reason}")
