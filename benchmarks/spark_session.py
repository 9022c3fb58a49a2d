"""One Spark session, warmed up, that runs our queries and Spark's own over the same events."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks import native
from benchmarks.measure import tree_seconds
from benchmarks.table import toml
from benchmarks.told import batches, let_pass, tell, tell_json, wall
from croupier.config.services import Services, Stores
from croupier.config.settings import Settings, parse_settings
from croupier.config.spark import SparkSettings, open_engine
from croupier.runners.declare import declare
from croupier.runners.spark.process import run_folding, run_learning
from tests.services.spark import options

WARM, PARTITIONS = 2_000, 2
LATENESS = 80_000
"""So long that everything is open still when the first of two batches ends."""
SETTINGS = parse_settings(
    toml("warm", 5, expose_within="100ms", window="100ms", lateness="100ms", session="none")
    + toml("b", 5, expose_within="1s", window="1s", lateness=f"{LATENESS // 1000}s", session="none")
)


class Used(NamedTuple):
    """Seconds of CPU of driver, JVM and Python workers, and of the wall."""

    cpu: float
    wall: float

    def __add__(self, other: Any) -> "Used":
        return Used(self.cpu + other.cpu, self.wall + other.wall)


def used_by(work: Callable[[], object]) -> Used:
    """What a call uses in this process and all below it."""
    began, before = time.monotonic(), tree_seconds(os.getpid())
    work()
    return Used(tree_seconds(os.getpid()) - before, time.monotonic() - began)


class Session:
    """Ours and the peers', each with its own checkpoints, in one JVM."""

    def __init__(self, services: Services, stores: Stores, folder: str, cores: int) -> None:
        self._services, self._stores, self._folder = services, stores, Path(folder)
        self.servers = services.log.split("/")[2]
        self._spark = SparkSettings(
            str(self._folder / "ours"), "now", 20_000, 16, f"local[{cores}]", options("2g")
        )
        declare(SETTINGS, stores.log, stores.clock)

    def fold(self, app: Literal["join", "observe"]) -> Used:
        """Join or observe what is there."""
        stop = threading.Event()
        return used_by(lambda: run_folding(app, self._services, self._spark, stop, recover=False))

    def learn(self) -> Used:
        """Learn what is there."""
        settings, stop = Settings(experiments=()), threading.Event()
        return used_by(
            lambda: run_learning(settings, self._services, self._spark, stop, recover=False)
        )

    def native(self, form: str, name: str) -> Used:
        """Spark's own join of the topic with this name."""
        session = open_engine(self._spark).session
        place = str(self._folder / _sink(form, name))
        topics = (name, _sink(form, name))
        return used_by(lambda: native.run(session, form, self.servers, topics, place))

    def warm_up(self, apps: tuple[Literal["join", "observe"], ...] = ("join", "observe")) -> None:
        """A session costs some 20 s of processor time before it does anything quickly."""
        warm = SETTINGS.experiments[0]
        tell(self._stores.log, batches(warm, WARM))
        let_pass(self._stores.log, wall() + 2 * warm.longest_story)
        for app in apps:
            self.fold(app)

    def warm_up_natives(self) -> None:
        """The same for the peers, and their topics."""
        self.make("warm")
        warm = SETTINGS.experiments[0]
        tell_json(self.servers, "warm", PARTITIONS, batches(warm, WARM))
        self.end("warm")
        for form in native.FORMS:
            self.native(form, "warm")

    def make(self, topic: str) -> None:
        """Make a topic for the peers, and one for what each makes of it."""
        names = [topic, *(_sink(form, topic) for form in native.FORMS)]
        admin = AdminClient({"bootstrap.servers": self.servers, "log_level": 2})
        made = admin.create_topics([NewTopic(name, PARTITIONS) for name in names])
        for future in made.values():
            future.result()

    def end(self, topic: str) -> None:
        """Let time pass, as Spark understands it."""
        producer = Producer({"bootstrap.servers": self.servers, "log_level": 2})
        for partition in range(PARTITIONS):
            producer.produce(topic, native.sentinel(), partition=partition)
        producer.flush()

    def closed(self, form: str, topic: str) -> int:
        """How many funnels a peer has made of a topic."""
        consumer = Consumer({"bootstrap.servers": self.servers, "group.id": "count"})
        ends = [
            consumer.get_watermark_offsets(TopicPartition(_sink(form, topic), partition))[1]
            for partition in range(PARTITIONS)
        ]
        consumer.close()
        return sum(ends)


def _sink(form: str, topic: str) -> str:
    return f"{topic}-{form.replace(' ', '-')}"
