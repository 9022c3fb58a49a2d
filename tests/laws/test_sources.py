"""Sources: no bytes make them raise, and whatever is killed, each record is told once in effect."""

import json
from collections import Counter
from threading import Event as Flag
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from croupier.adapters.memory import MemoryDeadLetters, MemorySnapshots, MemoryTopic
from croupier.config.keys import Keys
from croupier.config.services import Stores
from croupier.config.settings import parse_settings
from croupier.core import codec
from croupier.core.records import Decision, Event
from croupier.core.sources.declared import Moment, Source, Stated, Word
from croupier.core.sources.reading import Reader
from croupier.core.token import Signer
from croupier.ports import EVENTS, UnavailableError, UnusableError
from croupier.runners.declare import declare
from croupier.runners.distributed.serving import service_of
from croupier.runners.history import History
from croupier.runners.sourcing.judge import Judge
from croupier.runners.sourcing.taking import Taker, counted_as
from tests.laws.streams import HandClock
from tests.laws.test_distributed import Death, FragileLog, FragileState, KilledError

NOW = 1_763_750_000_000
KEYS = Keys({1: bytes(32)}, bytes(32))
TOML = """
[[experiment]]
name = "b"
arms = ["x", "y"]
default = "x"
reward = { click = { weight = 1, cap = 9 } }
"""
SETTINGS = parse_settings(TOML)
SOURCE = Source("orders", "shop.orders", "click", token="t", id="id", where={"on": True})
NAMES = st.sampled_from(["t", "id", "a", "b", "on", "items"])
PATHS = st.lists(NAMES, min_size=1, max_size=2).map(".".join)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["b", "x", "click", "impression", "2025-11-21", "1763750000000", "\ud83d"])
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)
BYTES = st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()) | st.none()
WORDS = st.sampled_from(["b", "click", "x"]) | st.builds(
    Word, PATHS, st.none() | st.dictionaries(st.sampled_from(["a", "b"]), st.just("click"))
)
MOMENTS = PATHS | st.builds(Moment, PATHS, st.sampled_from(["s", "ms", "us", "ns"]))
STATED = st.builds(
    Stated, WORDS, PATHS, MOMENTS, PATHS, PATHS, PATHS | st.just((0.5,)),
    st.none() | PATHS, st.none() | PATHS,
)  # fmt: skip
SOURCES = st.builds(
    lambda decision, token, **rest: Source(
        "s", "t", decision=decision, token=None if decision else token, **rest
    ),
    decision=st.none() | STATED,
    token=PATHS,
    kind=WORDS,
    each=st.none() | PATHS,
    arm=st.none() | PATHS | st.builds(Word, PATHS),
    slot=st.none() | PATHS,
    value=st.none() | PATHS,
    id=st.none() | st.just("none") | PATHS,
    time=st.none() | MOMENTS,
    where=st.dictionaries(PATHS, st.booleans() | st.text(max_size=2), max_size=1),
)


class Yard:
    """A topic and all that takes it, on memory; killed where `deaths` say, and begun again."""

    def __init__(self, source: Source = SOURCE, deaths: tuple[int, ...] = ()) -> None:
        self.clock, self.death = HandClock(NOW), Death(list(deaths))
        self.log = FragileLog(self.clock, 2, self.death)
        self.states = FragileState(self.log, self.death)
        self.scopes: set[str] = set()
        cache = MemorySnapshots()
        self.stores = Stores(self.clock, self.log, self._scope, cache, cache)
        declare(SETTINGS, self.log, HandClock(1))
        self.source, self.topic, self.dead = source, MemoryTopic(2), MemoryDeadLetters()
        self.log.armed = True
        self.taker = self.begin()

    def _scope(self, scope: str) -> FragileState:
        self.scopes.add(scope)
        return self.states

    def begin(self) -> Taker:
        history = History(self.log)
        service = service_of(SETTINGS, self.stores, history, KEYS)
        taker = Taker(self.source, self.topic, self, service, self.stores, Flag())
        taker.follow = history.follow
        return taker

    def put(self, letters: Any) -> None:
        self.death(lambda: self.dead.put(letters))

    def close(self) -> None:
        """As the port has it."""

    def settle(self) -> None:
        """Steps until there is nothing left, whatever is killed."""
        for _ in range(400):
            try:
                if not self.taker.step():
                    return
            except KilledError:
                self.taker = self.begin()
        raise AssertionError("it never ends")

    def events(self) -> dict[tuple[bytes, str, int, str], Event]:
        """What is on the log, each once; AssertionError when told twice in two ways."""
        found: dict[tuple[bytes, str, int, str], Event] = {}
        for entry in self.log.read(EVENTS, {}, 10_000):
            for event in codec.decode_many(entry.payload):
                key = event.decision.tracking_id, event.kind, event.slot, event.id
                assert found.setdefault(key, event) == event
        return found

    def counts(self) -> dict[str, int]:
        return {
            what: n
            for (scope, what), n in self.states.load().counts.items()
            if scope == counted_as(self.source)
        }


def token(number: int, key: bytes = bytes(32)) -> str:
    decision = Decision(
        tracking_id=(NOW - 1_000).to_bytes(6, "big") + number.to_bytes(9, "big"),
        experiment="b",
        unit=bytes(16),
        session=1,
        declaration=1,
        snapshot=1,
        slate=(1,),
        propensities=(0.5,),
    )
    return Signer({1: key}, ["b"]).sign(decision)


@settings(max_examples=60)
@given(SOURCES, BYTES)
def test_no_bytes_make_a_mapping_raise(source: Source, value: bytes | None) -> None:
    if any(key for key, _ in source.problems()):
        return
    reading = Reader(source).read(value, "s/0/1")
    items = len(reading.reports) + len(reading.refused) + reading.skipped.total()
    assert items >= 1
    assert reading == Reader(source).read(value, "s/0/1")


@settings(max_examples=50)
@given(SOURCES, st.lists(BYTES, min_size=1, max_size=5))
def test_no_bytes_make_the_checks_raise(source: Source, values: list[bytes | None]) -> None:
    if any(key for key, _ in source.problems()):
        return
    yard = Yard(source)
    for value in values:
        yard.topic.write(0, value, NOW)
    yard.settle()
    assert yard.counts().get("records") == len(values)
    assert yard.taker._stored == {0: len(values), 1: 0}


KINDS = ("good", "good", "again", "forged", "garbage", "other", "tomb", "gap", "grow", "step")
WRITES = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 1), st.integers(0, 3)), max_size=30
)


class Company:
    """Writes what is said, and knows what is to come of it."""

    def __init__(self, yard: Yard) -> None:
        self._yard = yard
        self.good, self.dead = set[tuple[int, str]](), set[bytes]()
        self.written = Counter[str]()

    def act(self, number: int, what: str, partition: int, story: int) -> None:
        """One write, or something else that happens to a topic."""
        topic = self._yard.topic
        if what == "step":
            self._yard.settle()
        elif what == "grow":
            topic.grow()
            self._yard.clock.wall += 10_000
        elif what == "gap":
            topic.gap(partition)
        else:
            self._write(number, what, partition, story)

    def _write(self, number: int, what: str, partition: int, story: int) -> None:
        id_ = "again" if what == "again" else str(number)
        signed = token(story, b"x" * 32 if what == "forged" else bytes(32))
        said = json.dumps({"on": what != "other", "t": signed, "id": id_}).encode()
        if what in ("good", "again"):
            self.good.add((story, id_))
        elif what in ("forged", "garbage"):
            self.dead.add(f"orders/{partition}/{self._yard.topic.ends()[partition]}".encode())
        odd = {"tomb": None, "garbage": b"{"}
        self._yard.topic.write(partition, odd.get(what, said), NOW)
        self.written[what] += 1

    def counts(self) -> dict[str, int]:
        """What is to be counted."""
        written = self.written
        counts = {
            "records": written.total(),
            "events": written["good"] + written["again"],
            "dead": written["forged"] + written["garbage"],
            "refused token": written["forged"],
            "refused malformed": written["garbage"],
            "skipped where": written["other"],
            "skipped empty": written["tomb"],
        }
        return {what: n for what, n in counts.items() if n}


@settings(max_examples=50)
@given(WRITES, st.lists(st.integers(0, 6), max_size=4))
def test_killed_anywhere_each_record_is_told_once(
    writes: list[tuple[str, int, int]], deaths: list[int]
) -> None:
    yard = Yard(deaths=tuple(deaths))
    company = Company(yard)
    for number, (what, partition, story) in enumerate(writes):
        company.act(number, what, partition, story)
    yard.settle()
    told = {(int.from_bytes(key[0][6:], "big"), key[3]) for key in yard.events()}
    assert told == company.good
    assert {letter.key for letter in yard.dead.letters} == company.dead
    assert len({*yard.dead.letters}) == len(company.dead)
    assert yard.counts() == company.counts()
    known, ends = yard.taker._stored, yard.topic.ends()
    assert known == {number: ends[number] for number in known}


def record(number: int, **more: Any) -> bytes:
    return json.dumps({"on": True, "t": token(number), "id": f"o{number}"} | more).encode()


def test_what_was_dropped_before_it_was_read_is_counted_once() -> None:
    yard = Yard(deaths=(2, 0))
    for number in range(5):
        yard.topic.write(0, record(number), NOW)
    yard.settle()
    for number in range(5, 9):
        yard.topic.write(0, record(number), NOW)
    yard.topic.drop(0, 8)
    yard.settle()
    assert (yard.counts()["lost"], yard.counts()["records"], len(yard.events())) == (3, 6, 6)


def test_latest_begins_at_the_end_of_its_first_start() -> None:
    yard = Yard(Source("late", "t", "click", token="t", begin="latest"), deaths=(0,))
    yard.topic.write(0, record(1), NOW)
    with pytest.raises(KilledError):
        yard.taker.step()
    yard.taker = yard.begin()
    yard.settle()
    yard.topic.write(0, record(2), NOW)
    yard.settle()
    assert len(yard.events()) == 1


def test_a_topic_that_is_away_is_waited_for_and_another_one_is_refused() -> None:
    yard = Yard()
    yard.topic.write(1, record(1), NOW)
    yard.settle()
    made_anew = MemoryTopic(2)
    yard.topic.vanish()
    with pytest.raises(UnavailableError):
        yard.taker.step()
    yard.taker._topic = made_anew
    with pytest.raises(UnusableError, match="partition 1 ends before 1"):
        yard.taker.step()


def test_a_story_that_is_over_goes_to_the_dead_letters() -> None:
    yard = Yard()
    service = service_of(SETTINGS, yard.stores, History(yard.log), KEYS)
    horizon = SETTINGS.experiments[0].horizon
    yard.topic.write(0, record(1), NOW - 60_000)
    one = yard.topic.read({0: 0}, 1).records[0]
    judge = Judge(SOURCE, service)
    last = NOW - 1_000 + horizon + service.limits.skew
    ((_, event),) = judge.judge(one, last).events
    assert event.at == event.decision.at  # the record's stamp, bounded by the decision
    assert [refused.code for refused in judge.judge(one, last + 1).refused] == ["late"]


def test_an_arm_that_is_new_is_looked_for_before_a_token_is_refused() -> None:
    yard = Yard()
    more = parse_settings(TOML.replace('["x", "y"]', '["x", "y", "z"]'))
    declare(more, yard.log, HandClock(NOW - 2_000))
    newer = Decision(
        tracking_id=NOW.to_bytes(6, "big") + bytes(9), experiment="b", unit=bytes(16), session=1,
        declaration=1, snapshot=1, slate=(2,), propensities=(0.5,),
    )  # fmt: skip
    signed = Signer(KEYS.token, ["b"]).sign(newer)
    yard.topic.write(0, json.dumps({"on": True, "t": signed}).encode(), NOW)
    yard.settle()
    assert (len(yard.events()), yard.dead.letters) == (1, [])
