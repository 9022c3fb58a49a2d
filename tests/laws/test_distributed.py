"""The distributed ring over partitions: the same sums as brute force, killed anywhere.

Everything that a process does to the world (an append, a commit) may be the last thing it does,
with or without its effect; the process is then made anew, and recovers from what is on the log and
in the stores.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from threading import Event
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from croupier.adapters.memory import MemoryLog, MemorySnapshots, MemoryState, MemoryStories
from croupier.apps.observe import Observe
from croupier.config.backends import Backends
from croupier.config.services import Stores
from croupier.config.tables import LogTable
from croupier.core import codec
from croupier.core.arms.sums import Sums
from croupier.core.declarations import Declarations
from croupier.core.experiment import Experiment
from croupier.core.records import Decision, Funnel, Imported, Tick
from croupier.core.reward import Reward, Term
from croupier.ports import ARMS, EVENTS, FUNNELS, OBSERVATIONS, Commit, Standing
from croupier.runners.distributed import learning
from croupier.runners.distributed.learning import Learner
from croupier.runners.distributed.parts import JoinPart, ObservePart
from croupier.runners.distributed.share import Share
from croupier.runners.distributed.worker import Worker
from croupier.runners.history import History
from croupier.runners.ring import Ring
from tests.laws.oracle import tell
from tests.laws.streams import HandClock, World, worlds
from tests.laws.test_chain import text

TICK = codec.encode(Tick())


class KilledError(Exception):
    """Here the process was killed."""


class Death:
    """Kills at the operations whose turn it is: before or after their effect."""

    def __init__(self, deaths: list[int]) -> None:
        self._deaths, self._place, self._wait = deaths, 0, 0
        self.count = 0

    def __call__(self, action: Callable[[], Any]) -> Any:
        if not self._deaths or self._wait < self._deaths[self._place % len(self._deaths)]:
            self._wait += 1
            return action()
        self._wait, self._place = 0, self._place + 1
        self.count += 1
        done = self._place % 2
        answer = action() if done else None
        if self.count < 40:
            raise KilledError
        return answer if done else action()


class FragileLog(MemoryLog):
    def __init__(self, clock: HandClock, partitions: int, death: Death) -> None:
        super().__init__(clock, partitions)
        self._death, self.armed = death, False

    def append(self, topic: str, records: Any, keys: Any = None) -> "Future[int]":
        def plain() -> "Future[int]":
            return super(FragileLog, self).append(topic, records, keys)

        return self._death(plain) if self.armed else plain()


class FragileState(MemoryState):
    def __init__(self, log: MemoryLog, death: Death) -> None:
        super().__init__(log)
        self._death = death

    def commit(self, commit: Commit) -> None:
        self._death(lambda: super(FragileState, self).commit(commit))


class Town:
    """All processes of a distributed ring, on memory."""

    def __init__(self, world: World, partitions: int, shares: int, deaths: list[int]) -> None:
        self.clock, self.death = HandClock(), Death(deaths)
        self.log = FragileLog(self.clock, partitions, self.death)
        self.scopes: dict[str, FragileState] = {}
        self.stores = Stores(
            self.clock, self.log, self._scope, MemorySnapshots(), MemorySnapshots()
        )
        for versions in world.book._versions.values():
            self.log.append(ARMS, [codec.encode(one) for one in versions.values()])
        self.log.append(ARMS, [codec.encode(one) for one in world.book._arms.values()])
        self.makers: dict[str, Callable[[], Worker | Learner]] = {
            f"join {n}": lambda n=n: self._worker("join", JoinPart, n, shares)  # type: ignore[misc]
            for n in range(1, shares + 1)
        }
        self.makers |= {
            f"observe {n}": lambda n=n: self._worker("observe", ObservePart, n, shares)  # type: ignore[misc]
            for n in range(1, shares + 1)
        }
        self.makers["learn"] = lambda: Learner(self.stores, History(self.log), Event())
        self.processes = {name: self._started(make) for name, make in self.makers.items()}
        self.log.armed = True

    def _scope(self, scope: str) -> FragileState:
        return self.scopes.setdefault(scope, FragileState(self.log, self.death))

    def _worker(self, app: str, make: Any, number: int, of: int) -> Worker:
        ends = self.log.ends(EVENTS)
        return Worker(
            app, make, self.stores, History(self.log), Share(number, of).among(ends), ends, Event()
        )

    @staticmethod
    def _started(make: Callable[[], Worker | Learner]) -> Worker | Learner:
        process = make()
        process.recover()
        return process

    def turn(self, name: str) -> bool:
        """One step of one process; killed, it is started again."""
        try:
            return self.processes[name].step()
        except KilledError:
            self.processes[name] = self._started(self.makers[name])
            return True

    def act(self, name: str) -> None:
        """All that can be done, and a trim, after which all is killed: nothing may be missed."""
        if name != "rest":
            MemoryLog.append(self.log, EVENTS, [TICK])
            self.settle()
        if name != "trim":
            return
        learner = self.processes["learn"]
        assert isinstance(learner, Learner)
        learner._keep = LogTable(retention=0)
        learner.trim()
        self.processes = {name: self._started(make) for name, make in self.makers.items()}

    def settle(self) -> None:
        while sum(self.turn(name) for name in self.processes):
            pass


def output(town: Town, topic: str, kind: str) -> Iterator[Any]:
    for entry in town.log.read(topic, {}, 10**6):
        for record in codec.decode_many(entry.payload):
            if record.__struct_config__.tag == kind:
                yield record


@settings(max_examples=60)
@given(
    world=worlds(),
    partitions=st.integers(1, 3),
    shares=st.integers(1, 2),
    deaths=st.lists(st.integers(0, 12), max_size=6),
    turns=st.lists(st.sampled_from(["join 1", "join 2", "observe 1", "observe 2", "learn"])),
)
def test_a_distributed_ring_learns_what_brute_force_learns_killed_anywhere(
    world: World, partitions: int, shares: int, deaths: list[int], turns: list[str]
) -> None:
    town, told = Town(world, partitions, shares, deaths), tell(world.log, world.book)
    steps = iter(turns)
    for stamp, events in world.appends():
        town.clock.wall = stamp
        keys = [event.decision.tracking_id for event in events]
        MemoryLog.append(town.log, EVENTS, [codec.encode(event) for event in events], keys)
        name = next(steps, None)
        if name in town.processes:
            town.turn(name)
    town.clock.wall = world.end
    MemoryLog.append(town.log, EVENTS, [TICK])
    town.settle()
    standing = town.scopes["learn"].load()
    assert standing.sums == told.sums(world.book)
    late = sum(scope.load().counts.get(("b", "late"), 0) for scope in town.scopes.values())
    assert late == told.counts().get(("b", "late"), 0)
    counts = {place: n for place, n in standing.counts.items() if n and place[1] != "late"}
    assert counts == {place: n for place, n in told.counts().items() if place[1] != "late"}
    funnels, expected = set(map(text, output(town, FUNNELS, "funnel"))), told.funnels
    assert funnels == {text(one) for _, one in expected}
    assert {one.id for one in output(town, OBSERVATIONS, "observation")} == set(
        town.scopes["learn"]._ids
    )
    assert not any(scope.load().open.get("b") for scope in town.scopes.values())


def alone(world: World) -> tuple[list[Any], Standing]:
    """What one process with all in memory makes of it: its observations, and where it stands."""
    clock = HandClock()
    log = MemoryLog(clock)
    states = MemoryState(log)
    backends = Backends(clock, log, states, MemorySnapshots(), MemoryStories(), lambda: None)
    ring = Ring(backends, world.book, world.book.names(), lambda _: None)
    ring.recover()
    for stamp, events in world.appends():
        clock.wall = stamp
        log.append(EVENTS, [codec.encode(event) for event in events])
        ring.step()
    clock.wall = world.end
    log.append(EVENTS, [TICK])
    while ring.step():
        pass
    entries = log.read(OBSERVATIONS, {}, 10**6)
    return list(codec.decode_all(entry.payload for entry in entries)), states.load()


@given(world=worlds(), partitions=st.integers(1, 4), shares=st.integers(1, 3))
def test_one_process_and_many_make_the_same_of_the_same_input(
    world: World, partitions: int, shares: int
) -> None:
    observations, stands = alone(world)
    town = Town(world, partitions, shares, [])
    for stamp, events in world.appends():
        town.clock.wall = stamp
        keys = [event.decision.tracking_id for event in events]
        town.log.append(EVENTS, [codec.encode(event) for event in events], keys)
    town.clock.wall = world.end
    town.log.append(EVENTS, [TICK])
    town.settle()
    standing = town.scopes["learn"].load()
    told = Counter(map(text, output(town, OBSERVATIONS, "observation")))
    assert told == Counter(map(text, observations))
    assert standing.sums == stands.sums
    counts = Counter(stands.counts)
    for scope in town.scopes.values():
        counts.subtract(scope.load().counts)
    assert not any(counts.values())


@given(
    world=worlds(),
    partitions=st.integers(1, 3),
    turns=st.lists(st.sampled_from(["rest", "turn", "turn", "trim"]), min_size=1),
)
def test_trimming_takes_nothing_that_anybody_has_to_read_again(
    world: World, partitions: int, turns: list[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning, "MOST_SKEW", 1)  # clocks agree here: trim all that may go
        town, told = Town(world, partitions, 2, []), tell(world.log, world.book)
        for place, (stamp, events) in enumerate(world.appends()):
            town.clock.wall = stamp
            keys = [event.decision.tracking_id for event in events]
            MemoryLog.append(town.log, EVENTS, [codec.encode(event) for event in events], keys)
            town.act(turns[place % len(turns)])
        town.clock.wall = world.end
        MemoryLog.append(town.log, EVENTS, [TICK])
        town.act("trim")
    assert town.scopes["learn"].load().sums == told.sums(world.book)


def test_a_funnel_told_again_does_not_open_a_closed_session() -> None:
    """Else the later decision of the session would be taken for its only one: a trial too many."""
    book = Declarations()
    spec = Experiment("b", ("x", "y"), "x", Reward({"click": Term(1.0)}), session=1_000)
    for record in book.changes(spec, 0):
        book.apply(record)
    first, later = (
        Funnel(
            decision=Decision(
                tracking_id=at.to_bytes(6, "big") + bytes(9),
                experiment="b",
                unit=bytes(16),
                session=0,
                declaration=1,
                snapshot=1,
                slate=(arm,),
                propensities=(0.5,),
            ),
            shown=(at,),
            outcomes=({},),
        )
        for arm, at in ((0, 100), (1, 500))
    )
    observe, end = Observe(book), 10 * spec.longest_story
    observe.feed([first, later])
    assert [one.arm for one in observe.close(end)] == [0]
    observe.feed([later])
    assert observe.close(2 * end) == []


def test_imported_rows_are_added_once_under_whatever_name_they_come() -> None:
    book = Declarations()
    spec = Experiment("b", ("x", "y"), "x", Reward({"click": Term(1.0)}))
    for record in book.changes(spec, 0):
        book.apply(record)
    town = Town(World(book, []), 3, 1, [])
    row = Imported(
        id=b"one",
        content=b"same",
        experiment="b",
        arm=1,
        slot=0,
        reward_version=1,
        at=7,
        sums=Sums(5, 2_000_000, 2_000_000_000_000).encode(),
        key="file",
    )
    again, other = (msgspec.structs.replace(row, id=b"two"), msgspec.structs.replace(row, arm=0))
    rows = [row, row, again, msgspec.structs.replace(other, id=b"three", content=b"other")]
    for _ in range(2):
        records = [codec.encode(each) for each in rows]
        town.log.append(OBSERVATIONS, records, [each.id for each in rows])
        town.settle()
    standing = town.scopes["learn"].load()
    assert {key.arm: sums.n for key, sums in standing.sums.items()} == {0: 5, 1: 5}
    assert standing.counts["b", "imported"] == 10
