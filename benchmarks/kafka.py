"""Our log on Kafka beside confluent-kafka alone: appended and read, CPU of the client's process."""

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.report import Row, Skipped
from benchmarks.table import BATCH, toml
from benchmarks.told import UNDER_WAY, batches
from croupier.adapters.kafka import Cluster, KafkaLog
from croupier.config.settings import parse_settings
from croupier.core import codec
from croupier.ports import EVENTS, partition_of
from tests.services.own import own_servers
from tests.services.servers import Kafka
from tests.services.service import ServiceError

PARTITIONS, MESSAGES = 4, 512
SAME, SINGLE = "confluent-kafka, the same messages", "confluent-kafka, a message an event"
Keyed = list[tuple[bytes, bytes]]


class Rate(NamedTuple):
    """Seconds of the wall and of CPU."""

    wall: float
    cpu: float


def rows(*, quick: bool) -> Iterator[Row | Skipped]:
    try:
        with own_servers() as start:
            broker = start(Kafka)
            cluster = Cluster(f"127.0.0.1:{broker.port}", "bench", partitions=PARTITIONS)
            yield from measure(cluster, broker.folder, 20_000 if quick else 300_000)
    except ServiceError as error:
        yield Skipped("Kafka: append and read", str(error))


def measure(cluster: Cluster, folder: Path, decisions: int) -> Iterator[Row]:
    spec = parse_settings(toml("top-button", 5)).experiments[0]
    appends = [
        [(event.decision.tracking_id, codec.encode(event)) for event in batch]
        for batch in batches(spec, decisions)
    ]
    events, size = sum(map(len, appends)), sum(len(one) for some in appends for _, one in some)
    with closing(KafkaLog(cluster)) as log:
        append(log, appends[:1])
        ours = timed(lambda: append(log, appends))
        log.read(EVENTS, dict.fromkeys(range(PARTITIONS), 0), 1)
        alone = statistics.median(timed(lambda: append(log, appends[:1])).wall for _ in range(50))
        read = timed(lambda: read_all(log, decode=False))
        decoded = timed(lambda: read_all(log, decode=True))
    whole = {SAME: list(messages(appends)), SINGLE: list(singles(appends))}
    note = (
        f"{events:,} events in appends of {BATCH}, {UNDER_WAY} under way, {PARTITIONS} partitions"
    )
    for name, topic in ((SAME, "same"), (SINGLE, "single")):
        make(cluster, topic)
        sent = produce(cluster, topic, whole[name])
        what, us = "Kafka append", 1e6 / events
        yield Row(f"{what}, CPU an event", "µs", ours.cpu * us, name, sent.cpu * us, note=note)
        yield Row(f"{what}, per second", "events", events / ours.wall, name, events / sent.wall)
        found = consume(cluster, topic)
        yield Row("Kafka read, CPU an event", "µs", read.cpu * us, name, found.cpu * us)
        yield Row("Kafka read, per second", "events", events / read.wall, name, events / found.wall)
    yield Row("Kafka read and decoded, CPU an event", "µs", decoded.cpu * us)
    yield Row("Kafka append, per second", "MB", size / ours.wall / 1e6)
    yield Row("Kafka read, per second", "MB", size / read.wall / 1e6)
    yield Row("Kafka: one append, alone, median", "ms", alone * 1e3)
    yield Row("an event, before compression", "bytes", size / events)
    yield Row(
        "an event on the broker's disk",
        "bytes",
        on_disk(folder, cluster.topic(EVENTS)) / (events + 51 * BATCH),
        "a message an event",
        on_disk(folder, "single") / events,
        note="lz4, one replica",
    )


def timed(work: Callable[[], object]) -> Rate:
    """What a call takes, and what this process uses, all threads."""
    began, cpu = time.monotonic(), time.process_time()
    work()
    return Rate(time.monotonic() - began, time.process_time() - cpu)


def append(log: KafkaLog, appends: list[Keyed]) -> None:
    """All of them, some under way at once."""
    under_way = deque[Any]()
    for some in appends:
        keys, records = zip(*some, strict=True)
        under_way.append(log.append(EVENTS, records, keys))
        if len(under_way) > UNDER_WAY:
            under_way.popleft().result()
    for future in under_way:
        future.result()


def read_all(log: KafkaLog, *, decode: bool) -> int:
    """From the start to the end; how many events were decoded."""
    positions, ends, found = dict.fromkeys(range(PARTITIONS), 0), log.ends(EVENTS), 0
    while positions != ends:
        entries = log.read(EVENTS, positions, MESSAGES)
        if decode:
            found += sum(len(codec.decode_many(entry.payload)) for entry in entries)
        positions |= {entry.partition: entry.offset + 1 for entry in entries}
    return found


def messages(appends: list[Keyed]) -> Iterator[tuple[int, bytes, bytes]]:
    """What our log sends for these appends: partition, key, payload."""
    for some in appends:
        shares: dict[int, list[bytes]] = {}
        for key, record in some:
            shares.setdefault(partition_of(key, PARTITIONS), []).append(record)
        for partition, share in shares.items():
            yield partition, b"", codec.join(share)


def singles(appends: list[Keyed]) -> Iterator[tuple[int, bytes, bytes]]:
    """The same, a message an event, by key, as most send them."""
    for some in appends:
        for key, record in some:
            yield partition_of(key, PARTITIONS), key, record


def produce(cluster: Cluster, topic: str, some: list[tuple[int, bytes, bytes]]) -> Rate:
    """As durably as our log: on all replicas, once each, in order. The first only connects."""
    settings = {"enable.idempotence": True, "linger.ms": 2, "compression.type": "lz4"}
    room = {"queue.buffering.max.messages": 1_000_000, "queue.buffering.max.kbytes": 1 << 19}
    producer = Producer(cluster.settings(**settings, **room))

    def send(messages: list[tuple[int, bytes, bytes]]) -> None:
        for place, (partition, key, payload) in enumerate(messages):
            producer.produce(topic, payload, key or None, partition)
            if place % BATCH == 0:
                producer.poll(0)
        producer.flush()

    send(some[:1])
    return timed(lambda: send(some))


def consume(cluster: Cluster, topic: str) -> Rate:
    """From the start to the end, once connected."""
    ours = {"group.id": "bench", "enable.auto.commit": False, "fetch.wait.max.ms": 100}
    consumer = Consumer(cluster.settings(**ours))
    parts = [TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)]
    left = sum(consumer.get_watermark_offsets(part)[1] for part in parts)

    def take() -> None:
        nonlocal left
        while left:
            for message in consumer.consume(min(left, MESSAGES), 1):
                assert message.error() is None
                left -= 1

    consumer.assign(parts)
    found = timed(take)
    consumer.close()
    return found


def make(cluster: Cluster, topic: str) -> None:
    """A topic beside ours."""
    admin = AdminClient(cluster.settings())
    admin.create_topics([NewTopic(topic, PARTITIONS)])[topic].result()


def on_disk(folder: Path, topic: str) -> int:
    """Bytes of a topic's segments."""
    files = (folder / "data").glob(f"{topic}-[0-9]*/*.log")
    return sum(file.stat().st_size for file in files)
