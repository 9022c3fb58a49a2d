"""A topic that others write, read on from positions that we keep."""

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from croupier.adapters.kafka.cluster import Cluster
from croupier.ports import Positions, Stretch, TopicRecord, UnavailableError, UnusableError

_WAIT_SECONDS = 0.02
_DROPPED = (KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET)  # noqa: SLF001 - its name


class KafkaTopic:
    """SourceTopic on any cluster; of transactions, only what was committed is read.

    The name of our consumer group is asked for and never used: positions are ours.
    """

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster, self._topic = cluster, topic
        self._next: Positions = {}
        self._consumer = Consumer(
            cluster.settings(
                **{
                    "group.id": "croupier",
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "auto.offset.reset": "error",  # what is gone is counted, not jumped over
                    "enable.partition.eof": True,  # how an end of nothing but markers is seen
                    "isolation.level": "read_committed",
                    "allow.auto.create.topics": False,
                    "queued.max.messages.kbytes": 4 << 10,
                    "fetch.message.max.bytes": 1 << 20,
                }
            )
        )

    def starts(self) -> Positions:
        """The first offsets that were not dropped."""
        return {number: low for number, (low, _) in self._bounds().items()}

    def ends(self) -> Positions:
        """The offsets behind the last records."""
        return {number: high for number, (_, high) in self._bounds().items()}

    def read(self, positions: Positions, limit: int) -> Stretch:
        """At most `limit` records; none when there is nothing new, as far as was seen in 20 ms."""
        with self._patiently():
            lost = self._go_to(positions) if positions != self._next else 0
            records = self._collect(limit)
            return Stretch(records, dict(self._next), lost)

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()

    @contextmanager
    def _patiently(self) -> Iterator[None]:
        """Whatever goes wrong, the next read goes to its positions anew."""
        try:
            yield
        except KafkaException as error:
            self._next = {}
            place = f"kafka {self._cluster.servers}: topic {self._topic}"
            raise UnavailableError(f"{place}: {error.args[0].str()}") from error
        except (UnavailableError, UnusableError):
            self._next = {}
            raise

    def _bounds(self) -> dict[int, tuple[int, int]]:
        patience = self._cluster.patience
        with self._patiently():
            found = self._consumer.list_topics(self._topic, patience).topics[self._topic]
            if found.error is not None:
                raise KafkaException(found.error)
            return {
                number: self._consumer.get_watermark_offsets(
                    TopicPartition(self._topic, number), patience
                )
                for number in found.partitions
            }

    def _go_to(self, wanted: Positions) -> int:
        """Read on from there; how many offsets were dropped before we came."""
        bounds, places = self._bounds(), dict[int, int]()
        for number, position in wanted.items():
            low, high = bounds.get(number, (0, -1))
            if position > high:
                raise UnusableError(
                    f"kafka topic {self._topic}: partition {number} ends at {max(high, 0)}, "
                    f"we stand at {position}: it was made anew, or has lost records. Read it as a "
                    "new source: give [[source]] another name"
                )
            places[number] = max(position, low)
        self._consumer.assign(
            [TopicPartition(self._topic, number, place) for number, place in places.items()]
        )
        self._next = places
        return sum(places[number] - position for number, position in wanted.items())

    def _collect(self, limit: int) -> list[TopicRecord]:
        first = self._consumer.poll(_WAIT_SECONDS)
        if first is None:
            return []
        records = []
        for message in [first, *(self._consumer.consume(limit - 1, 0) if limit > 1 else ())]:
            number, error = message.partition(), message.error()
            if error is None:
                self._next[number] = message.offset() + 1
                records.append(_record(message))
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
                self._next[number] = max(self._next[number], message.offset())
            elif error.code() in _DROPPED:
                raise UnavailableError(f"kafka topic {self._topic}: {error.str()}")
            else:
                raise KafkaException(error)
        return records


def _record(message: Message) -> TopicRecord:
    kind, stamp = message.timestamp()
    known = kind != TIMESTAMP_NOT_AVAILABLE and stamp >= 0
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    return TopicRecord(partition, offset, stamp if known else None, message.value())
