"""Delay-corrected exposure: open trials are counted once, never in sums, the same after a crash."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from croupier.adapters.memory import MemoryLog, MemorySnapshots, MemoryState, MemoryStories
from croupier.config.backends import Backends
from croupier.core import codec, open_trials
from croupier.core.arms.maturing import BUCKETS, DELAY, OpenRow
from croupier.core.declarations import Declarations
from croupier.core.experiment import Experiment
from croupier.core.open_trials import count_open
from croupier.core.policies.thompson import Thompson
from croupier.core.records import Decision, Event, Funnel, Observation, Tick
from croupier.ports import EVENTS, FUNNELS, OBSERVATIONS
from croupier.runners.distributed.learning import Learner
from croupier.runners.ring import Ring
from tests.laws.streams import CLICK, HandClock, World, worlds
from tests.laws.test_distributed import Town

TICK = codec.encode(Tick())
SEVERAL = settings(max_examples=20)


def corrected(world: World, *, on: bool = True) -> World:
    """The same log, of experiments whose reward is a click and whose policy corrects for delays."""
    book = Declarations()
    for versions in world.book._versions.values():
        for each in versions.values():
            policy = Thompson(delay_corrected=on)
            spec = msgspec.structs.replace(
                each.spec, policy=policy, session=None, reward=CLICK, surrogate=msgspec.UNSET
            )
            book.apply(msgspec.structs.replace(each, spec=spec))
    for arms in world.book._arms.values():
        book.apply(arms)
    return World(book, world.log)


class Alone:
    """An embedded ring on memory, which turns whenever something was appended."""

    def __init__(self, world: World) -> None:
        self.world, self.clock = world, HandClock()
        log = MemoryLog(self.clock)
        self.backends = Backends(
            self.clock, log, MemoryState(log), MemorySnapshots(), MemoryStories(), lambda: None
        )
        self.begin()

    def begin(self) -> None:
        book = self.world.book
        self.ring = Ring(self.backends, book, book.names(), lambda _: None)
        self.ring.recover()

    def append(self, stamp: int, records: list[bytes]) -> None:
        self.clock.wall = stamp
        self.backends.log.append(EVENTS, records)
        while self.ring.step():
            pass
        self.ring.refresh()

    def play(self) -> Any:
        """Each moment of the log, with a tick behind it; the last one is the end of all stories."""
        for stamp, events in self.world.appends():
            self.append(stamp, [*map(codec.encode, events), TICK])
            yield stamp
        self.append(self.world.end, [TICK])
        yield self.world.end


def held(ring: Ring | Learner) -> dict[str, list[OpenRow]]:
    """What is known of open trials, by experiment: rows of one place added up."""
    found: dict[str, dict[tuple[int, ...], list[int]]] = {}
    for (name, _), parts in ring.learn._open._counts.items():
        rows = found.setdefault(name, {})
        for arm, slot, age, trials, came in (row for one in parts.values() for row in one.rows):
            row = rows.setdefault((arm, slot, age), [0] * (BUCKETS + 1))
            row[0] += trials
            for part, count in came.items():
                row[1 + part] += count
    return {
        name: [
            (arm, slot, age, row[0], {k: n for k, n in enumerate(row[1:]) if n})
            for (arm, slot, age), row in sorted(rows.items())
        ]
        for name, rows in found.items()
        if rows
    }


def open_now(ring: Ring, book: Declarations) -> dict[str, list[OpenRow]]:
    stories, at = ring.join.stage.open, ring.join.time.value
    counted = {
        name: [r for one in count_open(stories.items(), book, name, 0, at) for r in one.rows]
        for name in book.names()
    }
    return {name: rows for name, rows in counted.items() if rows}


def trained(backends: Backends) -> dict[Any, Any]:
    sums = backends.states.load().sums
    return {key: each for key, each in sums.items() if not key.stratum.startswith(DELAY)}


@SEVERAL
@given(world=worlds())
def test_what_is_counted_early_is_in_no_sums_and_leaves_them_as_they_are(world: World) -> None:
    plain, early = Alone(corrected(world, on=False)), Alone(corrected(world))
    for _ in zip(plain.play(), early.play(), strict=True):
        assert trained(plain.backends) == trained(early.backends)
    ours, theirs = (each.backends.states.load() for each in (early, plain))
    assert ours.counts == theirs.counts
    assert set(theirs.sums) == set(trained(plain.backends))
    for topic in (FUNNELS, OBSERVATIONS):
        told = [
            [one for entry in each.backends.log.read(topic, {}, 10**6) for one in records(entry)]
            for each in (plain, early)
        ]
        bare = [undated(one) for one in told[1]]
        assert bare == told[0]


def records(entry: Any) -> list[Any]:
    return codec.decode_many(entry.payload)


def undated(record: Any) -> Any:
    """A funnel or an observation, without what only a timed experiment notes."""
    if isinstance(record, Funnel):
        return msgspec.structs.replace(record, delays=())
    fields = msgspec.structs.asdict(record)
    del fields["delay"]
    return Observation(**fields)


@SEVERAL
@given(world=worlds(), parts=st.sampled_from((3, 4, 8, 128)))
def test_no_trial_counts_twice_open_and_closed(world: World, parts: int) -> None:
    """Of each arm: what is in the sums and what is held open are together no more than all.

    With few turns a window, a count is held while trials close.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(open_trials, "_turn", lambda window: max(window // parts, 1))
        assert_counted_once(world)


def assert_counted_once(world: World) -> None:
    alone = Alone(corrected(world))
    so_far = []
    for _ in alone.play():
        sums: Counter[tuple[str, int]] = Counter()
        for key, each in alone.backends.states.load().sums.items():
            if key.stratum == "policy" and key.reward_version == newest(world, key.experiment):
                sums[key.experiment, key.arm] += each.n
        for name, rows in held(alone.ring).items():
            for arm, _, _, trials, _ in rows:
                sums[name, arm] += trials
        so_far.append(sums)
    for sums in so_far:
        assert sums <= so_far[-1]
    assert not held(alone.ring)


def newest(world: World, experiment: str) -> int:
    return corrected(world).book.latest(experiment).reward_version


@SEVERAL
@given(world=worlds(), cut=st.integers(0, 8))
def test_after_a_crash_the_same_trials_are_open(world: World, cut: int) -> None:
    alone = Alone(corrected(world))
    for number, _ in enumerate(alone.play()):
        if number == cut:
            expected = open_now(alone.ring, alone.world.book)
            alone.begin()
            assert open_now(alone.ring, alone.world.book) == held(alone.ring) == expected


@SEVERAL
@given(
    world=worlds(),
    partitions=st.integers(1, 3),
    shares=st.integers(1, 2),
    deaths=st.lists(st.integers(0, 12), max_size=6),
)
def test_many_processes_hold_open_what_one_does_killed_anywhere(
    world: World, partitions: int, shares: int, deaths: list[int]
) -> None:
    world = corrected(world)
    alone, town = Alone(world), Town(world, partitions, shares, deaths)
    for (stamp, events), _ in zip(world.appends(), alone.play(), strict=False):
        town.clock.wall = stamp
        encoded = [codec.encode(event) for event in events]
        keys = [event.decision.tracking_id for event in events]
        MemoryLog.append(town.log, EVENTS, encoded, keys)
        MemoryLog.append(town.log, EVENTS, [TICK])
        town.settle()
        expected = held(alone.ring)
        assert held(learner(town)) == expected
        town.processes["learn"] = town._started(town.makers["learn"])
        assert held(learner(town)) == expected
    sums = town.scopes["learn"].load().sums
    known = alone.backends.states.load().sums
    assert {key: known[key] for key in sums} == sums


def learner(town: Town) -> Learner:
    process = town.processes["learn"]
    assert isinstance(process, Learner)
    return process


def test_ages_and_delays_are_whole_parts_of_the_window() -> None:
    """A window of 32 s: parts of one second. Bought after 3.5 s, counted after 9.2 s."""
    book = Declarations()
    spec = Experiment(
        "b",
        ("x", "y"),
        "x",
        CLICK,
        policy=Thompson(delay_corrected=True),
        window=32_000,
        lateness=1_000,
        expose_within=1_000,
        session=None,
    )
    for record in book.changes(spec, 0):
        book.apply(record)
    alone = Alone(World(book, []))
    decision = Decision(
        tracking_id=(10_000).to_bytes(6, "big") + bytes(9),
        experiment="b",
        unit=bytes(16),
        session=0,
        declaration=1,
        snapshot=1,
        slate=(1,),
        propensities=(0.5,),
    )
    seen = Event(decision=decision, kind="impression", at=10_000)
    bought = Event(decision=decision, kind="click", at=13_500)
    alone.append(13_600, [codec.encode(seen), codec.encode(bought), TICK])
    assert held(alone.ring) == {"b": [(1, 0, 2, 1, {})]}  # the outcome's part is not over
    alone.append(19_200, [TICK])
    assert held(alone.ring) == {"b": [(1, 0, 8, 1, {3: 1})]}
    alone.append(43_100, [TICK])  # closes in 900 ms, and a turn is 250
    assert held(alone.ring) == {"b": [(1, 0, 32, 1, {3: 1})]}
    alone.append(43_600, [TICK])
    assert held(alone.ring) == {}
