"""Reading a Kafka topic: exactly what is there, stamps that never go back."""

import threading
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

from croupier.adapters.kafka.topics import Topics
from croupier.ports import Entry, Positions, UnavailableError

_WAIT_SECONDS = 0.02


class TopicReader:
    """Reads one topic on as long as it is asked for what follows; goes elsewhere when asked to.

    Invariant: the stamp of an entry is the greatest that its partition holds up to its offset: a
    function of the log, not of where reading began. Kafka stamps with the wall clock of whichever
    broker leads, which may go back; a story that was closed would open again. So when reading
    starts at an offset, the greatest stamp before it is asked for, and carried on from there.
    """

    def __init__(self, topics: Topics, topic: str) -> None:
        self._topics, self._topic = topics, topic
        self._parts = topics.cluster.parts(topic)
        self._name = topics.cluster.topic(topic)
        self._lock = threading.Lock()
        self._next: Positions = {}
        self._newest: dict[int, int] = {}
        self._consumer: Consumer | None = None

    def read(self, positions: Positions, limit: int) -> list[Entry]:
        """At most `limit` entries; none only when the positions are at the ends."""
        with self._lock:
            try:
                return self._read(positions, limit) if limit > 0 else []
            except KafkaException as error:
                self._next = {}
                servers = self._topics.cluster.servers
                raise UnavailableError(f"kafka {servers}: {error.args[0].str()}") from error
            except UnavailableError:
                self._next = {}
                raise

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            if self._consumer is not None:
                self._consumer.close()
                self._consumer = None

    def _read(self, positions: Positions, limit: int) -> list[Entry]:
        wanted = dict(positions) or dict.fromkeys(self._parts, 0)
        consumer = self._consumer or self._connect()
        if wanted != self._next:
            self._go_to(consumer, wanted)
        found = self._collect(consumer, limit, _WAIT_SECONDS)
        if found or not self._behind(wanted):
            return found
        end = time.monotonic() + self._topics.cluster.patience
        while not (found := self._collect(consumer, limit, _WAIT_SECONDS)):
            if time.monotonic() > end:
                raise UnavailableError(f"kafka topic {self._name} is not readable now")
        return found

    def _connect(self) -> Consumer:
        self._next = {}
        self._consumer = Consumer(
            self._topics.cluster.settings(
                **{
                    "group.id": "croupier",  # asked for, and never used: positions are ours
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "auto.offset.reset": "earliest",  # where what was asked for has been dropped
                    "fetch.wait.max.ms": 100,  # going elsewhere waits for the fetch under way
                    "queued.max.messages.kbytes": 16 << 10,
                    "fetch.message.max.bytes": 1 << 20,
                }
            )
        )
        return self._consumer

    def _go_to(self, consumer: Consumer, wanted: Positions) -> None:
        starts = self._topics.starts(self._topic)
        ends = self._topics.ends(self._topic)
        for partition in wanted:
            if wanted[partition] > (end := ends[partition]):
                raise UnavailableError(
                    f"kafka topic {self._name}: partition {partition} ends at {end}, we stand at "
                    f"{wanted[partition]}: another log, or one that has lost entries"
                )
        places = {partition: max(wanted[partition], starts[partition]) for partition in wanted}
        consumer.assign([TopicPartition(self._name, at, place) for at, place in places.items()])
        self._next, self._newest = dict(wanted), {}

    def _collect(self, consumer: Consumer, limit: int, wait: float) -> list[Entry]:
        first = consumer.poll(wait)
        if first is None:
            return []
        messages = [first, *(consumer.consume(limit - 1, 0) if limit > 1 else ())]
        entries = []
        for message in messages:
            if message.error() is not None:
                raise KafkaException(message.error())
            partition, offset = message.partition(), message.offset()
            stamp = self._newest_up_to(partition, offset, message.timestamp()[1])
            self._newest[partition], self._next[partition] = stamp, offset + 1
            entries.append(Entry(partition, offset, stamp, message.value()))
        return entries

    def _newest_up_to(self, partition: int, offset: int, stamp: int) -> int:
        """The greatest stamp in the partition up to this offset, which has this stamp itself."""
        if partition in self._newest:
            return max(stamp, self._newest[partition])
        low = stamp
        if not self._comes_before(partition, low + 1, offset):
            return low
        high = self._topics.newest_stamp(self._topic, partition)
        while low < high:  # the least stamp that nothing before the message is above
            middle = (low + high) // 2
            if self._comes_before(partition, middle + 1, offset):
                low = middle + 1
            else:
                high = middle
        return low

    def _comes_before(self, partition: int, stamp: int, offset: int) -> bool:
        """Whether a message stamped at or after `stamp` stands before `offset`."""
        found = self._topics.first_at(self._topic, [partition], stamp)
        return found.get(partition, offset) < offset

    def _behind(self, wanted: Positions) -> bool:
        """Whether there is something to read, as the brokers say now."""
        ends = self._topics.ends(self._topic)
        if all(position >= ends[partition] for partition, position in wanted.items()):
            return False
        starts = self._topics.starts(self._topic)
        return any(max(position, starts[at]) < ends[at] for at, position in wanted.items())
