"""Join → Observe → absorb over a log: nothing depends on batch edges, partitions or restarts."""

from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from croupier.adapters.memory import MemoryLog, MemorySnapshots, MemoryState, MemoryStories
from croupier.apps.join import Join
from croupier.apps.learn import Learn
from croupier.apps.observe import Observe
from croupier.config.backends import Backends
from croupier.core import codec
from croupier.core.declarations import Declarations
from croupier.core.duration import MINUTE, SECOND
from croupier.core.records import Decision, Event, Funnel, Observation, Tick
from croupier.ports import EVENTS, FUNNELS, OBSERVATIONS, Commit, Entry, Standing
from croupier.runners import open_stories
from tests.laws.oracle import Told, tell, trial_of
from tests.laws.streams import CLICK, START, HandClock, World, _spec, worlds

MANY = settings(max_examples=40)
TICK = codec.encode(Tick())
SIZES = st.lists(st.integers(1, 7), min_size=1, max_size=8)


class Chain:
    """The apps behind the log, committing each step as one; killed, it leaves only its backends."""

    def __init__(self, book: Declarations, backends: Backends) -> None:
        self.backends = backends
        self.join = Join(book, backends.log.ends(EVENTS))
        self.observe = Observe(book)
        self.learn = Learn(book, backends.cache)
        self.standing = backends.states.load()
        if self.standing.positions:
            open_stories.recover(backends, book, self.standing, self.join, self.observe)

    def step(self, limit: int) -> bool:
        """Read at most so many entries and commit what follows; False when there were none."""
        entries = self.backends.log.read(EVENTS, self.standing.positions, limit)
        if not entries:
            return False
        late = self.join.feed(entries)
        funnels, watermark = self.join.close(), self.join.time.value
        self.observe.feed(funnels)
        observations = self.observe.close(watermark)
        learned = self.learn.absorb(observations)
        self.backends.states.commit(
            Commit(
                positions={0: entries[-1].offset + 1},
                watermark=watermark,
                sums=learned.sums,
                counts=learned.counts,
                late=late,
                output={
                    FUNNELS: [codec.encode(one) for one in funnels],
                    OBSERVATIONS: [codec.encode(one) for one in observations],
                },
            )
        )
        self.standing = self.backends.states.load()
        return True

    def save(self) -> None:
        open_stories.save(self.backends, self.standing.positions, self.join, self.observe)


def filled(world: World, ticks: list[int]) -> Backends:
    """Backends whose log holds the world's events, with ticks between them and one at the end."""
    clock = HandClock()
    log = MemoryLog(clock)
    appends = [(stamp, [codec.encode(event) for event in many]) for stamp, many in world.appends()]
    appends += [(START + (world.end - START) * part // 300, [TICK]) for part in ticks]
    for stamp, records in [*sorted(appends, key=lambda one: one[0]), (world.end, [TICK])]:
        clock.wall = stamp
        log.append(EVENTS, records)
    return Backends(clock, log, MemoryState(log), MemorySnapshots(), MemoryStories(), lambda: None)


def output(backends: Backends, topic: str) -> list[Any]:
    entries = backends.log.read(topic, {}, 10_000)
    return list(codec.decode_all(entry.payload for entry in entries))


def text(one: Any) -> bytes:
    return msgspec.json.encode(one, order="deterministic")


def assert_told(backends: Backends, told: Told, book: Declarations) -> None:
    """The log and the committed state hold what the oracle tells, no more and no less."""
    funnels: list[Funnel] = output(backends, FUNNELS)
    observations: list[Observation] = output(backends, OBSERVATIONS)
    assert sorted(map(text, funnels)) == sorted(text(one) for _, one in told.funnels)
    assert sorted(map(trial_of, observations)) == sorted(one for _, one in told.trials)
    assert len({one.id for one in observations}) == len(observations)
    assert_learned(backends.states.load(), told, book)


def assert_learned(standing: Standing, told: Told, book: Declarations) -> None:
    assert standing.sums == told.sums(book)
    assert {place: count for place, count in standing.counts.items() if count} == told.counts()


@MANY
@given(world=worlds(), ticks=st.lists(st.integers(0, 200), max_size=4), sizes=SIZES)
def test_the_chain_tells_what_brute_force_tells_whatever_the_batch_edges(
    world: World, ticks: list[int], sizes: list[int]
) -> None:
    backends = filled(world, ticks)
    chain = Chain(world.book, backends)
    for size in endless(sizes):
        if not chain.step(size):
            break
    assert_told(backends, tell(world.log, world.book), world.book)
    assert not chain.join.stage.open
    assert not chain.observe.stage.open


@MANY
@given(
    world=worlds(),
    ticks=st.lists(st.integers(0, 200), max_size=4),
    sizes=SIZES,
    deaths=st.lists(st.sampled_from(("", "kill", "kill", "save")), min_size=1, max_size=8),
)
def test_the_chain_may_be_killed_after_any_commit(
    world: World, ticks: list[int], sizes: list[int], deaths: list[str]
) -> None:
    """Recovery from the log, or from a saved copy of the open stories, old or new."""
    backends = filled(world, ticks)
    chain = Chain(world.book, backends)
    for size, death in zip(endless(sizes), endless(deaths), strict=True):
        if not chain.step(size):
            break
        if death == "save":
            chain.save()
        if death == "kill":
            chain = Chain(world.book, backends)
    assert_told(backends, tell(world.log, world.book), world.book)


@MANY
@given(world=worlds(), ticks=st.lists(st.integers(0, 200), max_size=4))
def test_a_recovered_chain_holds_the_same_open_stories(world: World, ticks: list[int]) -> None:
    backends = filled(world, ticks)
    chain = Chain(world.book, backends)
    while chain.step(1):
        fresh = Chain(world.book, backends)
        assert fresh.join.stage.open == chain.join.stage.open
        assert fresh.observe.stage.open == chain.observe.stage.open
        assert fresh.join.time.value == chain.join.time.value


@MANY
@given(
    world=worlds(),
    sides=st.lists(st.integers(0, 1), min_size=1, max_size=9),
    turns=st.lists(st.integers(0, 1), min_size=1, max_size=9),
)
def test_partitions_may_be_read_at_any_pace(
    world: World, sides: list[int], turns: list[int]
) -> None:
    """Each partition has its own order of stamps; time is the least that both have reached."""
    queues: list[list[Entry]] = [[], []]
    for side, (stamp, events) in zip(endless(sides), world.appends(), strict=False):
        payload = codec.join([codec.encode(event) for event in events])
        queues[side].append(Entry(side, len(queues[side]), stamp, payload))
    for side, queue in enumerate(queues):
        queue.append(Entry(side, len(queue), world.end, codec.join([TICK])))
    join, observe = Join(world.book, (0, 1)), Observe(world.book)
    funnels, observations, late = [], [], set()
    for turn in endless(turns):
        queue = queues[turn] or queues[1 - turn]
        if not queue:
            break
        late |= {record.identity for record in join.feed([queue.pop(0)])}
        closed = join.close()
        funnels += closed
        observe.feed(closed)
        observations += observe.close(join.time.value)
    told = tell(world.log, world.book)
    assert sorted(map(text, funnels)) == sorted(text(one) for _, one in told.funnels)
    assert sorted(map(trial_of, observations)) == sorted(one for _, one in told.trials)
    assert len(late) == len(told.late)


def endless(values: list[Any]) -> Iterator[Any]:
    while True:
        yield from values


def test_recovery_reaches_back_over_the_skew_that_ingestion_permits() -> None:
    """A server's clock may be ahead of the log's by `max_skew`: its records are stamped early."""
    book, clock = Declarations(), HandClock()
    for record in book.changes(_spec("b", SECOND, CLICK, (1, 1, 1), None), 0):
        book.apply(record)
    log = MemoryLog(clock)
    backends = Backends(
        clock, log, MemoryState(log), MemorySnapshots(), MemoryStories(), lambda: None
    )
    decision = Decision(
        tracking_id=(START + MINUTE - SECOND).to_bytes(6, "big") + bytes(9),
        experiment="b",
        unit=bytes(16),
        session=0,
        declaration=1,
        snapshot=1,
        slate=(0,),
        propensities=(0.5,),
    )
    impression = Event(decision=decision, kind="impression", at=decision.at)
    for stamp, records in (
        (START, [codec.encode(impression)]),
        (decision.at + 2 * SECOND, [TICK]),
        (decision.at + MINUTE, [TICK]),
    ):
        clock.wall = stamp
        log.append(EVENTS, records)
    chain = Chain(book, backends)
    chain.step(2)
    assert len(chain.join.stage.open) == 1
    Chain(book, backends).step(1)
    assert len(output(backends, OBSERVATIONS)) == 1
