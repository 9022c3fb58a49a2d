"""A company's topic through real processes: killed −9 in the middle, each record counts once.

The topic is keyed by customer, holds duplicates, garbage, forgeries, tombstones and a transaction
that was taken back, and grows while it is read.
"""

import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from croupier.adapters.memory import MemoryLog, MemorySnapshots, MemoryState
from croupier.config.services import Services, Stores, open_ring
from croupier.config.settings import load_settings
from croupier.core import codec
from croupier.core.records import Decision, Event, Tick
from croupier.core.token import Signer
from croupier.ports import ARMS, EVENTS, EventLog, Standing, StateStore, entries_between
from croupier.runners.declare import declare
from croupier.runners.distributed.learning import Learner
from croupier.runners.distributed.parts import JoinPart, ObservePart
from croupier.runners.distributed.worker import Worker
from croupier.runners.history import History
from croupier.runners.sourcing.checks import check_sources
from tests.laws.streams import HandClock
from tests.ring.mortal import TAKEN
from tests.ring.town import Process

pytestmark = pytest.mark.services

KEY = bytes(32)
CAP, PARTS = 3, 2
Letters = dict[bytes, tuple[bytes, dict[str, Any]]]
TOML = """
[[experiment]]
name = "b"
arms = ["x", "y"]
default = "x"
reward = {{ click = {{ weight = 1, cap = 3 }} }}
session = "none"

[[source]]
name = "shop"
topic = "{topic}"
kind = {{ field = "type", map = {{ seen = "impression", bought = "click" }} }}
token = "ctx.token"
id = "order"
"""


class Shop:
    """Who writes the topic; it knows what is to come of it."""

    def __init__(self, address: str, topic: str) -> None:
        self.topic, self._dice, self._parts = topic, random.Random(7), 2
        self._address: dict[str, Any] = {"bootstrap.servers": address, "log_level": 2}
        self._admin = AdminClient(self._address)
        self._admin.create_topics([NewTopic(topic, 2, 1)])[topic].result(20)
        self._regretting = Producer(self._address | {"transactional.id": topic})
        self._regretting.init_transactions(20)
        self.bad, self.counts = Counter[bytes](), Counter[str]()
        self.trials: dict[bytes, tuple[int, set[str]]] = {}

    def write(self, trials: int) -> None:
        """So many decisions, what was seen and bought of them, and noise; in disorder."""
        said: list[bytes | None] = []
        for _ in range(trials):
            said += self._trial(len(self.trials))
        at, producer = int(time.time() * 1000), Producer(self._address)
        self._regretting.begin_transaction()
        regretted = self._record("bought", token(b"regretted", 0, at), "o-1")
        self._regretting.produce(self.topic, regretted, partition=0)
        self._regretting.flush(20)
        self._regretting.abort_transaction(20)
        self._dice.shuffle(said)
        for value in said:
            self._send(producer, value)
            self.counts["records"] += 1
        assert not producer.flush(20)

    def _send(self, producer: Producer, value: bytes | None) -> None:
        part = self._dice.randrange(self._parts)
        producer.produce(self.topic, value, self._dice.randbytes(2), partition=part)

    def _trial(self, number: int) -> Iterator[bytes | None]:
        name, arm, at = b"%09d" % number, number % 2, int(time.time() * 1000)
        signed, orders = token(name, arm, at), {f"o-{n}" for n in range(self._dice.randrange(5))}
        self.trials[name] = arm, orders
        for _ in range(self._dice.choice([1, 1, 3])):
            yield self._good("seen", signed, None)
        for order in sorted(orders):
            for _ in range(self._dice.choice([1, 1, 2])):
                yield self._good("bought", signed, order)
        what = self._dice.choice(["garbage", "forged", "foreign", "nobody", "other", "tomb"])
        if what == "tomb":
            self.counts["skipped empty"] += 1
            yield None
        elif what in ("nobody", "other"):
            self.counts[f"skipped {'decision' if what == 'nobody' else 'kind'}"] += 1
            kind = "bought" if what == "nobody" else "looked"
            yield self._record(kind, "" if what == "nobody" else signed, "o")
        else:
            bad = {
                "garbage": b"{%d" % number,
                "forged": self._record("bought", token(name, arm, at, key=b"x" * 32), "o"),
                "foreign": self._record("bought", token(name, arm, at, experiment="c"), "o"),
            }[what]
            self.bad[bad] += 1
            self.counts["refused malformed" if what == "garbage" else "refused token"] += 1
            self.counts["dead"] += 1
            yield bad

    def _good(self, kind: str, signed: str, order: str | None) -> bytes:
        self.counts["events"] += 1
        return self._record(kind, signed, order)

    @staticmethod
    def _record(kind: str, signed: str, order: str | None) -> bytes:
        return json.dumps({"type": kind, "ctx": {"token": signed}, "order": order}).encode()

    def grow(self) -> None:
        self._parts = 3
        self._admin.create_partitions([NewPartitions(self.topic, 3)])[self.topic].result(20)

    def sums(self) -> dict[int, tuple[int, int]]:
        """Trials and rewards, by arm."""
        found = {0: (0, 0), 1: (0, 0)}
        for arm, orders in self.trials.values():
            n, r = found[arm]
            found[arm] = n + 1, r + min(len(orders), CAP) * 1_000_000
        return found


def token(name: bytes, arm: int, at: int, key: bytes = KEY, experiment: str = "b") -> str:
    decision = Decision(
        tracking_id=at.to_bytes(6, "big") + name,
        experiment=experiment,
        unit=name.rjust(16),
        session=0,
        declaration=1,
        snapshot=1,
        slate=(arm,),
        propensities=(0.5,),
    )
    return Signer({1: key}, [experiment]).sign(decision)


@pytest.fixture
def source(tmp_path: Path, services: Services) -> Iterator[Process]:
    """`croupier source`; what it is about is declared, and keys are at hand."""
    config, keys = tmp_path / "croupier.toml", tmp_path / "croupier.keys"
    config.write_text(TOML.format(topic=f"{prefix_of(services)}.company"))
    keys.write_text(json.dumps({"token": {"1": KEY.hex()}, "unit": KEY.hex()}))
    with closing(open_ring(services.log, services.states)) as ring:
        declare(load_settings(config), ring.log, ring.clock)
    urls = ["--log", services.log, "--states", services.states]
    words = ["source", *urls, "--config", str(config), "--keys", str(keys)]
    one = Process("source", tmp_path, words, "ready")
    yield one
    one.close()


def prefix_of(services: Services) -> str:
    return services.log.rpartition("/")[2].partition("?")[0]


def counted(states: StateStore) -> dict[str, int]:
    counts = states.load(strata=()).counts
    return {what: n for (name, what), n in counts.items() if name == "source:shop"}


def wait_until(what: Any, seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_a_topic_of_the_companys_own_counts_once(source: Process, services: Services) -> None:
    address, prefix = services.log.removeprefix("kafka://").split("/")[0], prefix_of(services)
    shop = Shop(address, f"{prefix}.company")
    with closing(open_ring(services.log, services.states)) as ring:
        states = ring.states("any")
        shop.write(400)
        source.spawn(TAKEN)
        assert source.await_end() == -signal.SIGKILL, source.tail()
        source.start()
        shop.grow()
        shop.write(200)
        wait_until(lambda: counted(states).get("records", 0) > 1_000)
        source.end()
        source.start()
        wait_until(lambda: counted(states).get("records", 0) >= shop.counts["records"])
        assert source.end(signal.SIGTERM) == 0, source.tail()
        assert counted(states) == shop.counts
        (finding,) = check_sources(
            load_settings(source.log.with_name("croupier.toml")), services, {}
        )
        assert (finding.what, finding.ok) == ("source.shop", True)
        assert f"0 offsets not read yet; {shop.counts['records']} records" in finding.detail
        _must_be_told(shop, ring, dead_letters(address, f"{prefix}.dead"))
        standing = learned(ring.log)
    assert standing.counts.get(("b", "late"), 0) == 0
    found = {0: (0, 0), 1: (0, 0)}
    for key, sums in standing.sums.items():  # of one hour, or of two
        n, r = found[key.arm]
        found[key.arm] = n + sums.n, r + sums.r
    assert found == shop.sums()


def _must_be_told(shop: Shop, ring: Stores, letters: Letters) -> None:
    """What is on our log, and among the dead letters."""
    told = events(ring.log)
    assert told.total() > shop.counts["events"], "nothing was told twice: was it not killed?"
    assert {event.decision.tracking_id[6:] for event in told} == shop.trials.keys()
    assert len(letters) == shop.counts["dead"]
    assert Counter(value for value, _ in letters.values()) == shop.bad
    codes = Counter(headers["croupier.code"] for _, headers in letters.values())
    assert codes[b"malformed"] == shop.counts["refused malformed"]


def learned(log: EventLog) -> Standing:
    """What join, observe and learn make of this log, once all stories are over: without waiting."""
    clock = HandClock(0)
    here, scopes = MemoryLog(clock, PARTS), dict[str, MemoryState]()
    for topic in (ARMS, EVENTS):
        for entries in entries_between(log, topic, {}, log.ends(topic)):
            for entry in entries:
                here._put(topic, entry.partition, entry.stamp, entry.payload)
                clock.wall = max(clock.wall, entry.stamp)

    def states(scope: str) -> MemoryState:
        return scopes.setdefault(scope, MemoryState(here))

    stores = Stores(clock, here, states, MemorySnapshots(), MemorySnapshots())
    history, parts, stop = History(here), range(PARTS), threading.Event()
    clock.wall += history.declarations.longest_story() + 60_000
    here.append(EVENTS, [codec.encode(Tick())])
    join = Worker("join", JoinPart, stores, history, parts, parts, stop)
    observe = Worker("observe", ObservePart, stores, history, parts, parts, stop)
    for one in (join, observe, Learner(stores, history, stop)):
        one.recover()
        while one.step():
            pass
    return scopes["learn"].load()


def events(log: EventLog) -> Counter[Event]:
    """Every event on our log, as often as it was told."""
    found = Counter[Event]()
    for entries in entries_between(log, EVENTS, {}, log.ends(EVENTS)):
        for entry in entries:
            records = codec.decode_many(entry.payload)
            found.update(one for one in records if isinstance(one, Event))
    return found


def dead_letters(address: str, topic: str) -> Letters:
    """By key; AssertionError when two of one key differ."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "any"})
    place = TopicPartition(topic, 0, 0)
    _, end = consumer.get_watermark_offsets(place, timeout=20)
    consumer.assign([place])
    found: Letters = {}
    for message in consumer.consume(end, timeout=20):
        letter = message.value() or b"", dict(message.headers() or ())
        assert found.setdefault(message.key() or b"", letter) == letter
    consumer.close()
    return found
