"""Our topics in Kafka: made and checked as declared, asked about their offsets."""

import time
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from croupier.adapters.kafka.cluster import MOST_BYTES, Cluster
from croupier.ports import Positions, UnavailableError, UnusableError

_DECLARED = {
    "message.timestamp.type": "LogAppendTime",
    "cleanup.policy": "delete",
    "retention.ms": "-1",  # what is dropped is for `trim` to say
    "retention.bytes": "-1",
    "max.message.bytes": str(MOST_BYTES),
}
_ASK_SECONDS = 0.05
_REQUIRED = ("message.timestamp.type", "cleanup.policy")


_LEADER_MOVED = (
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
)


class Topics:
    """Asks the brokers about topics: makes and checks them, finds offsets, drops records."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._admin = AdminClient(cluster.settings())

    def make(self, topics: Iterable[str]) -> None:
        """Create the topics that are missing, as declared."""
        new = [
            NewTopic(
                self.cluster.topic(topic),
                len(self.cluster.parts(topic)),
                self.cluster.replication,
                config=_DECLARED,
            )
            for topic in topics
        ]
        for made in self._ask(self._admin.create_topics, new).values():
            try:
                self._answer(made)
            except UnavailableError as error:
                cause = error.__cause__
                known = KafkaError.TOPIC_ALREADY_EXISTS
                if not isinstance(cause, KafkaException) or cause.args[0].code() != known:
                    raise
        self._wait_for(topics)

    def _wait_for(self, topics: Iterable[str]) -> None:
        """Return when every broker that we ask knows them, and each partition has a leader."""
        end = time.monotonic() + self.cluster.patience
        while True:
            try:
                for topic in topics:
                    error = self._described(self.cluster.topic(topic)).error
                    if error is not None:
                        raise self._away(KafkaException(error))
                    self._offsets(topic, [0], OffsetSpec.latest())
            except UnavailableError:
                if time.monotonic() > end:
                    raise
                time.sleep(_ASK_SECONDS)
            else:
                return

    def check(self, topics: Iterable[str]) -> None:
        """UnusableError, naming the topic, unless all are there and as declared."""
        for topic in topics:
            name = self.cluster.topic(topic)
            found = self._described(name)
            if found.error is not None:
                raise UnusableError(f"kafka topic {name}: {found.error.str()}")
            declared = len(self.cluster.parts(topic))
            if len(found.partitions) != declared:
                raise UnusableError(
                    f"kafka topic {name} has {len(found.partitions)} partitions, {declared} are "
                    "declared (partitions=… in the URL). A key's partition must never change: "
                    "declare what is there, or use another prefix"
                )
            self._check_config(name)

    def _described(self, name: str) -> Any:
        try:
            return self._admin.list_topics(name, timeout=self.cluster.patience).topics[name]
        except KafkaException as error:
            raise self._away(error) from error

    def _check_config(self, name: str) -> None:
        resource = ConfigResource(ResourceType.TOPIC, name)
        described = self._ask(self._admin.describe_configs, [resource])[resource]
        config = {key: entry.value for key, entry in self._answer(described).items()}
        for key in _REQUIRED:
            if config.get(key) != _DECLARED[key]:
                raise UnusableError(
                    f"kafka topic {name}: {key} is {config.get(key)}, it must be {_DECLARED[key]}"
                )

    # --- offsets ----------------------------------------------------------------------------------

    def starts(self, topic: str) -> Positions:
        """The first offset that was not dropped, by partition."""
        return self._offsets(topic, self.cluster.parts(topic), OffsetSpec.earliest())

    def ends(self, topic: str) -> Positions:
        """The offset behind the last message, by partition."""
        return self._offsets(topic, self.cluster.parts(topic), OffsetSpec.latest())

    def first_at(self, topic: str, partitions: Iterable[int], stamp: int) -> Positions:
        """The first offset stamped at or after `stamp`; a partition without one is absent."""
        found = self._offsets(topic, partitions, OffsetSpec.for_timestamp(max(0, stamp)))
        return {partition: offset for partition, offset in found.items() if offset >= 0}

    def newest_stamp(self, topic: str, partition: int) -> int:
        """The greatest stamp that the partition holds; −1 when it is empty."""
        return int(self._list(topic, [partition], OffsetSpec.max_timestamp())[partition].timestamp)

    def _offsets(self, topic: str, partitions: Iterable[int], which: OffsetSpec) -> Positions:
        listed = self._list(topic, partitions, which)
        return {partition: found.offset for partition, found in listed.items()}

    def _list(self, topic: str, partitions: Iterable[int], which: OffsetSpec) -> dict[int, Any]:
        name = self.cluster.topic(topic)
        asked = self._ask(
            self._admin.list_offsets,
            {TopicPartition(name, partition): which for partition in partitions},
        )
        listed = {place.partition: self._answer(found) for place, found in asked.items()}
        if any(found.offset == OFFSET_INVALID for found in listed.values()):
            # What librdkafka says, without an error, of a partition that timed out.
            raise UnavailableError(f"kafka {self.cluster.servers}: no answer about {name}")
        return listed

    def drop(self, topic: str, positions: Positions) -> None:
        """Drop everything before these positions."""
        name = self.cluster.topic(topic)
        places = [TopicPartition(name, partition, at) for partition, at in positions.items()]
        for dropped in self._ask(self._admin.delete_records, places).values() if places else ():
            self._answer(dropped)

    # --- asking -----------------------------------------------------------------------------------

    def _ask(self, what: Any, about: Any) -> dict[Any, "Future[Any]"]:
        try:
            asked: dict[Any, Future[Any]] = what(about, request_timeout=self.cluster.patience)
        except KafkaException as error:
            raise self._away(error) from error
        return asked

    def _answer(self, future: "Future[Any]") -> Any:
        try:
            return future.result(self.cluster.patience + 1)
        except (KafkaException, TimeoutError) as error:
            raise self._away(error) from error

    def _away(self, error: Exception) -> UnavailableError:
        reason = error.args[0] if error.args else "no answer"
        if not isinstance(reason, KafkaError):
            return UnavailableError(f"kafka {self.cluster.servers}: {reason}")
        if reason.code() in _LEADER_MOVED:  # an admin client would ask the old one for minutes
            self._admin = AdminClient(self.cluster.settings())
        return UnavailableError(f"kafka {self.cluster.servers}: {reason.str()}")
