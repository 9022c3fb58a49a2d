"""What a distributed ring left behind, read raw: Kafka's topics, PostgreSQL's tables.

Nothing of croupier is imported. Stamps are those of the broker, the greatest of their partition so
far; what is told twice on a topic of at-least-once must be told alike.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
import psycopg
from confluent_kafka import Consumer, TopicPartition

from tests.ring.recount import DataFile, LateKey, Raw, SumKey, late_key


class Place(NamedTuple):
    """Where a town keeps things."""

    brokers: str
    prefix: str
    partitions: int
    database: str
    schema: str


def read_topic(place: Place, topic: str, partitions: int) -> Iterator[tuple[int, Raw]]:
    """Every record with its stamp, by partition, in order of offset."""
    name = f"{place.prefix}.{topic}"
    consumer = Consumer(
        {
            "bootstrap.servers": place.brokers,
            "group.id": "recount",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "check.crcs": True,
        }
    )
    try:
        for partition in range(partitions):
            there = TopicPartition(name, partition, 0)
            _, end = consumer.get_watermark_offsets(there, timeout=20)
            consumer.assign([there])
            offset, newest = 0, 0
            while offset < end:
                for message in consumer.consume(min(500, end - offset), timeout=20):
                    assert message.error() is None, message.error()
                    assert message.offset() == offset, f"{name}: offset {offset} is missing"
                    offset, newest = offset + 1, max(newest, message.timestamp()[1])
                    for record in msgspec.msgpack.decode(message.value() or b""):
                        yield newest, record
    finally:
        consumer.close()


def read_town(place: Place) -> DataFile:
    """Everything, in the shape in which the embedded ring's data file is checked."""
    many = place.partitions
    events = sorted(read_topic(place, "events", many), key=lambda one: one[0])
    arm_sets: dict[str, list[Raw]] = defaultdict(list)
    for _, one in read_topic(place, "arms", 1):
        if one["type"] == "arm_set" and one["version"] == len(arm_sets[one["experiment"]]) + 1:
            arm_sets[one["experiment"]].append(one)
    funnels = _once(
        (one["decision"]["tracking_id"], one)
        for _, one in read_topic(place, "funnels", many)
        if one["type"] == "funnel"
    )
    observations = _once(
        (one["id"], one)
        for _, one in read_topic(place, "observations", many)
        if one["type"] == "observation"
    )
    sums, counts, opened, late, snapshots = _tables(place)
    return DataFile(
        events=events,
        funnels=funnels,
        observations=observations,
        arm_sets={
            name: {arm["name"]: arm["number"] for arm in each[-1]["arms"]}
            for name, each in arm_sets.items()
        },
        arm_history=arm_sets,
        sums=sums,
        counts=counts,
        open=opened,
        late=late,
        snapshots=snapshots,
        position=0,
        end=0,
    )


def read_sums(place: Place) -> dict[SumKey, tuple[int, ...]]:
    """PostgreSQL's sums alone."""
    sums: dict[SumKey, tuple[int, ...]] = _tables(place)[0]
    return sums


def _once(told: Iterator[tuple[bytes, Raw]]) -> list[Raw]:
    """Each record once; AssertionError where it was told again in other words."""
    found: dict[bytes, Raw] = {}
    for key, one in told:
        assert found.setdefault(key, one) == one, f"told twice, otherwise: {found[key]} and {one}"
    return list(found.values())


def _tables(place: Place) -> tuple[Any, Any, Any, Counter[LateKey], dict[str, list[Raw]]]:
    with psycopg.connect(place.database, options=f"-c search_path={place.schema}") as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        rows = connection.execute("SELECT * FROM arm_states").fetchall()
        counts = connection.execute("SELECT * FROM counts WHERE value <> 0").fetchall()
        opened = connection.execute(
            "SELECT experiment, sum(stories) FROM open_stories GROUP BY 1 HAVING sum(stories) <> 0"
        ).fetchall()
        late = connection.execute("SELECT payload FROM late").fetchall()
        snapshots: dict[str, list[Raw]] = defaultdict(list)
        for name, payload in connection.execute(
            "SELECT experiment, payload FROM snapshots ORDER BY experiment, version"
        ):
            snapshots[name].append(msgspec.msgpack.decode(payload))
    return (
        {(*map(_plain, row[:6]),): tuple(map(int, row[6:])) for row in rows},
        {(name, what): value for name, what, value in counts},
        {name: int(number) for name, number in opened},
        Counter(late_key(msgspec.msgpack.decode(payload)) for (payload,) in late),
        snapshots,
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else int(value)


def place_of(log: str, states: str) -> Place:
    """Where the URLs of a ring point to."""
    kafka, database = urlsplit(log), urlsplit(states)
    return Place(
        kafka.netloc,
        kafka.path.strip("/"),
        int(kafka.query.removeprefix("partitions=")),
        database._replace(query="").geturl(),
        database.query.removeprefix("schema="),
    )
