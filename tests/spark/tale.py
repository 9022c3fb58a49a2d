"""A seeded tale on a real log: told in real time, for Kafka stamps with its own clock.

Several experiments, two declarations of one, slates, rewards by value, duplicates, disorder,
reports that come too late, and ticks. What follows is worked out by brute force (the oracle).
"""

import random
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from msgspec.structs import replace

from croupier.adapters.memory import MemoryLog, MemorySnapshots, MemoryState, MemoryStories
from croupier.config.backends import Backends
from croupier.config.services import Stores
from croupier.core import codec
from croupier.core.declarations import Declarations
from croupier.core.fold import Stage
from croupier.core.records import Event, Funnel, Observation, Tick
from croupier.ports import (
    ARMS,
    EVENTS,
    FUNNELS,
    OBSERVATIONS,
    EventLog,
    entries_between,
    partition_of,
)
from croupier.runners.ring import Ring
from tests.laws.oracle import Stamped, Told, tell
from tests.laws.streams import (
    CLICK,
    GUARDED,
    ONE_FITTED,
    SHOP,
    START,
    HandClock,
    _decision,
    _reports,
    _spec,
)
from tests.laws.test_chain import text

TICK = codec.encode(Tick())
UNITS = [bytes(8) + place.to_bytes(8, "big") for place in (0, 5, 700, 2**60 + 11, 90, 1234567)]


class Tale(NamedTuple):
    """What was declared, and what the log holds, with its own stamps."""

    book: Declarations
    stamped: list[Stamped]

    @property
    def told(self) -> Told:
        return tell(self.stamped, self.book)


def declared(at: int) -> tuple[Declarations, list[bytes]]:
    """`b`, declared anew in the middle as a surrogate, and `c`, whose decisions stand alone."""
    book, records = Declarations(), []
    for spec, when in (
        (_spec("b", 1, CLICK, (300, 500, 100), 400), 0),
        (replace(_spec("c", 1, SHOP, (250, 350, 50), None, GUARDED), sticky="unit"), 0),
        (replace(_spec("b", 1, SHOP, (300, 400, 50), 600), surrogate=ONE_FITTED), at),
    ):
        for record in book.changes(spec, when):
            book.apply(record)
            records.append(codec.encode(record))
    return book, records


def tell_on(log: EventLog, seed: int = 7, decisions: int = 160, seconds: float = 2) -> Declarations:
    """Tell the tale on a log, in real time; then wait until it is over."""
    dice, begin = random.Random(seed), int(time.time() * 1000) + 100
    middle = begin + int(seconds * 500)
    book, records = declared(middle)
    log.append(ARMS, records).result()
    plan: list[tuple[int, Event]] = []
    for place in range(decisions):
        at = begin + dice.randrange(int(seconds * 1000))
        decision = _decision(
            book,
            middle,
            1,
            place,
            dice.choice("bbbc"),
            at - START,
            dice.choice(UNITS),
            dice.choice([(0,), (1,), (2, 0), (1, 2)]),
            dice.choice(["policy", "policy", "policy", "holdout", "default"]),
            dice.random() < 0.5,
        )
        if dice.random() < 0.9:
            plan += _reports(decision, 1, ("impression", -1, "", 0, dice.randrange(340), [0]))
        for _ in range(dice.randrange(4)):
            kind = dice.choice(["click", "click", "buy", "impression", "scroll"])
            delays = [
                dice.choice([0, 5, 40, 300, 1_500]) for _ in range(dice.choice([1, 1, 1, 2, 3]))
            ]
            report = (kind, dice.randrange(2), dice.choice(["", "one"]), 1, dice.randrange(900))
            plan += _reports(decision, 1, (*report, delays))
    _append(log, sorted(plan, key=lambda one: one[0]))
    _let_time_pass(log, book)
    return book


def _append(log: EventLog, plan: list[tuple[int, Event]]) -> None:
    while plan:
        now = int(time.time() * 1000)
        due = [event for at, event in plan if at <= now]
        plan = plan[len(due) :]
        if due:
            keys = [event.decision.tracking_id for event in due]
            log.append(EVENTS, [codec.encode(event) for event in due], keys).result()
        else:
            log.append(EVENTS, [TICK]).result()
        time.sleep(0.02)


def _let_time_pass(log: EventLog, book: Declarations) -> None:
    """Until every story is over, then a tick that says so."""
    time.sleep(2 * book.longest_story() / 1000 + 0.3)
    log.append(EVENTS, [TICK]).result()


def read_back(log: EventLog, book: Declarations) -> Tale:
    """The tale as the log holds it, in order of its stamps."""
    stamped = [
        (entry.stamp, record)
        for entries in entries_between(log, EVENTS, {}, log.ends(EVENTS))
        for entry in entries
        for record in codec.decode_many(entry.payload)
        if isinstance(record, Event)
    ]
    return Tale(book, sorted(stamped, key=lambda one: one[0]))


def embedded(log: EventLog, tale: Tale) -> tuple[Backends, list[Observation]]:
    """The same log through the embedded ring, stamp by stamp."""
    clock = HandClock(0)
    memory = MemoryLog(clock)
    backends = Backends(
        clock, memory, MemoryState(memory), MemorySnapshots(), MemoryStories(), lambda: None
    )
    ring = Ring(backends, tale.book, tale.book.names(), lambda _: None)
    entries = [
        entry for many in entries_between(log, EVENTS, {}, log.ends(EVENTS)) for entry in many
    ]
    for entry in sorted(entries, key=lambda one: one.stamp):
        clock.wall = entry.stamp
        memory.append(EVENTS, [codec.encode(one) for one in codec.decode_many(entry.payload)])
    ring.recover()
    while ring.step():
        pass
    return backends, list(records(memory, OBSERVATIONS, Observation))


def records(log: EventLog, topic: str, kind: type[Any]) -> Iterator[Any]:
    for entries in entries_between(log, topic, {}, log.ends(topic)):
        for entry in entries:
            yield from (one for one in codec.decode_many(entry.payload) if isinstance(one, kind))


def funnels_on(stores: Stores) -> set[bytes]:
    return set(map(text, records(stores.log, FUNNELS, Funnel)))


def must_be_there(stores: Stores, tale: Tale) -> set[bytes]:
    """The funnels that closed by the watermarks that join has committed."""
    parts = len(stores.log.ends(EVENTS))
    watermarks = [stores.states(f"join.{number}").load("").watermark for number in range(parts)]
    return {
        text(funnel)
        for deadline, funnel in tale.told.funnels
        if Stage.closes(deadline) <= watermarks[partition_of(funnel.decision.tracking_id, parts)]
    }


def wait_for(what: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
