"""The event log on Kafka: a message is what one append has for one partition."""

from collections.abc import Sequence
from concurrent.futures import Future

from croupier.adapters.kafka.cluster import Cluster
from croupier.adapters.kafka.producer import Appender
from croupier.adapters.kafka.reader import TopicReader
from croupier.adapters.kafka.topics import Topics
from croupier.ports import TOPICS, Entry, Positions, partition_of


class KafkaLog:
    """EventLog over a cluster; KeyError for a topic that is not one of TOPICS.

    Missing topics are created unless it is opened for reading only; UnusableError when one is not
    as declared.
    """

    def __init__(self, cluster: Cluster, *, read_only: bool = False) -> None:
        self._cluster = cluster
        self._topics = Topics(cluster)
        if not read_only:
            self._topics.make(TOPICS)
        self._topics.check(TOPICS)
        self._appender = Appender(cluster)
        self._readers = {topic: TopicReader(self._topics, topic) for topic in TOPICS}

    def append(
        self, topic: str, records: Sequence[bytes], keys: Sequence[bytes] | None = None
    ) -> "Future[int]":
        """Append as one message a partition; done when all replicas have them."""
        if topic not in self._readers:
            raise KeyError(topic)
        parts = self._cluster.parts(topic)
        shares: dict[int, Sequence[bytes]] = dict.fromkeys(parts, records)
        if keys is not None:
            keyed: dict[int, list[bytes]] = {}
            for record, key in zip(records, keys, strict=True):
                keyed.setdefault(partition_of(key, len(parts)), []).append(record)
            shares = dict(keyed)
        return self._appender.append(self._cluster.topic(topic), shares.items())

    def read(self, topic: str, positions: Positions, limit: int) -> list[Entry]:
        """At most `limit` messages from the positions on."""
        return self._readers[topic].read(positions, limit)

    def ends(self, topic: str) -> Positions:
        """The offsets behind the last messages."""
        return self._topics.ends(topic)

    def since(self, topic: str, stamp: int) -> Positions:
        """The offsets of the first messages stamped at or after `stamp`, or the ends."""
        ends = self._topics.ends(topic)
        return ends | self._topics.first_at(topic, self._cluster.parts(topic), stamp)

    def trim(self, topic: str, stamp: int) -> int:
        """Drop messages stamped before `stamp`; how many."""
        starts, until = self._topics.starts(topic), self.since(topic, stamp)
        gone = {partition: at for partition, at in until.items() if at > starts[partition]}
        self._topics.drop(topic, gone)
        return sum(at - starts[partition] for partition, at in gone.items())

    def close(self) -> None:
        """Send what is under way, and let go of the brokers."""
        self._appender.close()
        for reader in self._readers.values():
            reader.close()
