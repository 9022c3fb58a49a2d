"""The contract of topics that others write: records in order, gaps passed, what is gone counted."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from croupier.adapters.kafka import Cluster, KafkaDeadLetters, KafkaTopic
from croupier.adapters.memory import MemoryTopic
from croupier.ports import DeadLetter, Positions, SourceTopic, UnavailableError, UnusableError
from tests.adapters.backends import START, unique
from tests.services.fixtures import URLS, Running, provide
from tests.services.servers import Kafka

T = list[tuple[int, bytes | None, int | None]]


class Company(Protocol):
    """Whoever writes the topic, and owns it."""

    def write(self, partition: int, value: bytes | None, stamp: int | None = None) -> None: ...
    def gap(self, partition: int) -> None: ...
    def grow(self) -> None: ...
    def drop(self, partition: int, before: int) -> None: ...
    def vanish(self) -> None: ...


class KafkaCompany:
    """It writes and owns a real topic; its gaps are transactions that it takes back."""

    def __init__(self, address: str, topic: str) -> None:
        self._topic, self._parts = topic, 2
        self._address: dict[str, Any] = {"bootstrap.servers": address, "log_level": 2}
        self._admin = AdminClient(self._address)
        self._producer = Producer(self._address)
        self._regretting = Producer(self._address | {"transactional.id": topic})
        self.make()
        self._regretting.init_transactions(20)

    def make(self) -> None:
        self._admin.create_topics([NewTopic(self._topic, 2, 1)])[self._topic].result(20)

    def write(self, partition: int, value: bytes | None, stamp: int | None = None) -> None:
        self._producer.produce(
            self._topic, value, b"key", partition=partition, timestamp=stamp or 0
        )
        assert not self._producer.flush(20)

    def gap(self, partition: int) -> None:
        self._regretting.begin_transaction()
        self._regretting.produce(self._topic, b"taken back", partition=partition)
        self._regretting.flush(20)
        self._regretting.abort_transaction(20)

    def grow(self) -> None:
        self._parts += 1
        more = NewPartitions(self._topic, self._parts)
        self._admin.create_partitions([more])[self._topic].result(20)
        wait_for(lambda: len(self._admin.list_topics(timeout=5).topics[self._topic].partitions) > 2)
        self._producer = Producer(self._address)  # the old one would find out some day

    def drop(self, partition: int, before: int) -> None:
        place = TopicPartition(self._topic, partition, before)
        self._admin.delete_records([place])[place].result(20)

    def vanish(self) -> None:
        self._admin.delete_topics([self._topic])[self._topic].result(20)


def wait_for(what: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.services)])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Company, SourceTopic]]:
    """Its writer and its reader, over two partitions."""
    if request.param == "memory":
        one = MemoryTopic(2)
        yield one, one
        return
    provide(Kafka, request.getfixturevalue("running"))
    address, name = URLS[Kafka].removeprefix("kafka://"), f"{unique(tmp_path)}.company"
    company = KafkaCompany(address, name)
    topic = KafkaTopic(Cluster(address, "any", patience=10), name)
    yield company, topic
    topic.close()


def read_all(topic: SourceTopic, positions: Positions, limit: int = 100) -> tuple[Any, Any, int]:
    """Read until all ends are reached: what was there, the positions behind it, what was lost."""
    ends, found, lost = topic.ends(), list[Any](), 0
    end = time.monotonic() + 20
    while any(positions.get(number, 0) < at for number, at in ends.items() if number in positions):
        stretch = topic.read(positions, limit)
        assert len(stretch.records) <= limit
        assert time.monotonic() < end, positions
        found, positions, lost = found + stretch.records, stretch.positions, lost + stretch.lost
    return found, positions, lost


def test_it_is_read_in_order_from_any_position(both: tuple[Company, SourceTopic]) -> None:
    company, topic = both
    assert topic.starts() == topic.ends() == {0: 0, 1: 0}
    for number in range(6):
        company.write(number % 2, b"%d" % number, START + number)
    found, positions, lost = read_all(topic, {0: 0, 1: 0}, limit=2)
    assert (positions, lost) == ({0: 3, 1: 3}, 0)
    for part in (0, 1):
        there = [(one.offset, one.value, one.stamp) for one in found if one.partition == part]
        numbers = range(part, 6, 2)
        assert there == [(n // 2, b"%d" % n, START + n) for n in numbers]
    company.write(0, None, START)
    found, positions, _ = read_all(topic, positions)
    assert [(one.partition, one.offset, one.value) for one in found] == [(0, 3, None)]
    found, _, _ = read_all(topic, {1: 1})
    assert [one.value for one in found] == [b"3", b"5"]
    assert topic.read(positions, 10).records == []


def test_gaps_are_passed_over_also_at_the_end(both: tuple[Company, SourceTopic]) -> None:
    company, topic = both
    company.write(0, b"a", START)
    company.gap(0)
    company.write(0, b"b", START)
    company.gap(0)
    found, positions, lost = read_all(topic, {0: 0, 1: 0})
    assert [one.value for one in found] == [b"a", b"b"]
    assert (positions, lost) == (topic.ends(), 0)


def test_what_was_dropped_is_counted(both: tuple[Company, SourceTopic]) -> None:
    company, topic = both
    for number in range(4):
        company.write(0, b"%d" % number, START)
    found, positions, _ = read_all(topic, {0: 0, 1: 0})
    assert len(found) == 4
    for number in range(4, 9):
        company.write(0, b"%d" % number, START)
    company.drop(0, 7)
    assert topic.starts() == {0: 7, 1: 0}
    found, after, lost = read_all(topic, {0: 2, 1: 0})
    assert ([one.value for one in found], lost) == ([b"7", b"8"], 5)
    assert after == {0: 9, 1: 0} != positions


def test_it_may_grow(both: tuple[Company, SourceTopic]) -> None:
    company, topic = both
    company.write(0, b"a", START)
    _, positions, _ = read_all(topic, {0: 0, 1: 0})
    company.grow()
    wait_for(lambda: topic.starts().keys() == {0, 1, 2})
    company.write(2, b"b", START)
    found, after, _ = read_all(topic, positions | {2: 0})
    assert [(one.partition, one.value) for one in found] == [(2, b"b")]
    assert after == {0: 1, 1: 0, 2: 1}


def test_what_is_not_there_is_away_and_what_ends_before_is_another(
    both: tuple[Company, SourceTopic],
) -> None:
    company, topic = both
    company.write(0, b"a", START)
    _, positions, _ = read_all(topic, {0: 0, 1: 0})
    with pytest.raises(UnusableError, match="partition 0 ends"):
        topic.read({0: 5, 1: 0}, 10)
    company.vanish()

    def away() -> bool:
        try:
            topic.read({0: 0, 1: 0}, 10)
        except UnavailableError:
            return True
        return False

    wait_for(away)
    if isinstance(company, KafkaCompany):
        company.make()
        wait_for(lambda: not away())
        with pytest.raises(UnusableError, match="as a new source"):
            topic.read(positions, 10)


@pytest.mark.services
def test_dead_letters_are_kept_as_they_were(running: Running, tmp_path: Path) -> None:
    provide(Kafka, running)
    address, name = URLS[Kafka].removeprefix("kafka://"), f"{unique(tmp_path)}.dead"
    cluster = Cluster(address, "any")
    letters = [
        DeadLetter(b"s/0/%d" % number, b"\xff" * (512 << 10), (("croupier.code", b"size"),))
        for number in range(3)
    ]
    for _ in range(2):
        one = KafkaDeadLetters(cluster, name)
        one.put(letters)
        one.put([])
        one.close()
    consumer = Consumer({"bootstrap.servers": address, "group.id": "any"})
    consumer.assign([TopicPartition(name, 0, 0)])
    found = consumer.consume(6, 20)
    consumer.close()
    assert [(m.key(), m.value(), tuple(m.headers() or ())) for m in found] == [*letters, *letters]


@pytest.mark.services
def test_nobody_at_the_address_is_away() -> None:
    cluster = Cluster("127.0.0.1:1", "any", patience=1)
    topic = KafkaTopic(cluster, "any")
    for ask in (topic.starts, topic.ends, lambda: topic.read({0: 0}, 1)):
        with pytest.raises(UnavailableError, match=r"kafka 127\.0\.0\.1:1: topic any: "):
            ask()
    topic.close()
    with pytest.raises(UnavailableError, match=r"dead letters in any\.dead: "):
        KafkaDeadLetters(cluster, "any.dead")
