"""Join and observe in buckets, without Spark: any cuts, any state lost or damaged, tell the same.

This is what Spark runs, over dicts in place of its state store; `tests/spark` runs it on Spark.
"""

import random
from copy import deepcopy
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from croupier.adapters.memory import MemoryLog, MemorySnapshots, MemoryState
from croupier.config.services import Stores
from croupier.core import codec
from croupier.core.codec import UnreadableRecordError
from croupier.core.records import Funnel, Observation, Tick
from croupier.ports import ARMS, EVENTS, FUNNELS, OBSERVATIONS
from croupier.runners.history import History
from croupier.runners.spark.executors import Sender
from croupier.runners.spark.folding import Folding
from croupier.runners.spark.misfit import MisfitError
from croupier.runners.spark.shares import Sorter
from croupier.runners.spark.turn import PARTS, App, Turn
from tests.laws.oracle import tell, trial_of
from tests.laws.streams import HandClock, World, worlds
from tests.laws.test_chain import text

TICK = codec.encode(Tick())


class Dicts:
    """The state of one bucket."""

    def __init__(self) -> None:
        self._header, self._slices = b"", dict[int, bytes]()

    def header(self) -> bytes:
        return self._header

    def keep(self, header: bytes) -> None:
        self._header = header

    def load(self, number: int) -> bytes:
        return self._slices.get(number, b"")

    def save(self, number: int, blob: bytes) -> None:
        self._slices[number] = blob

    def drop(self, number: int) -> None:
        del self._slices[number]


class Kept(NamedTuple):
    """What a checkpoint holds: how far reading came, and a state for each bucket."""

    positions: dict[int, int]
    states: dict[int, Dicts]

    def copy(self) -> "Kept":
        return Kept(dict(self.positions), deepcopy(self.states))


def damaged(kept: Kept, before: list[Kept], dice: random.Random) -> Kept:
    """A part of it lost, changed, of another time or in another place; or all of it of old."""
    old = dice.choice(before).copy()
    kind = dice.choice(["old", "old positions", "old states", "swapped", "piece", "piece"])
    if kind == "old":
        return old
    if kind == "old positions":
        return Kept(old.positions, kept.states)
    if kind == "old states":
        return Kept(kept.positions, old.states)
    names = list(kept.states)
    if kind == "swapped":
        one, other = dice.choice(names), dice.choice(names)
        kept.states[one], kept.states[other] = kept.states[other], kept.states[one]
        return kept
    name = dice.choice(names)
    state, former = kept.states[name], old.states.get(name, Dicts())
    piece = dice.choice(["header", *state._slices])
    was = former._header if piece == "header" else former._slices.get(piece, b"")  # type: ignore[call-overload]
    now = state._header if piece == "header" else state._slices[piece]  # type: ignore[index]
    spoilt = bytearray(now)
    spoilt[dice.randrange(len(spoilt))] ^= 1 << dice.randrange(8)
    blob = dice.choice([was, b"", now[: len(now) // 2], bytes(spoilt)])
    if piece == "header":
        state._header = blob
    else:
        state._slices[piece] = blob  # type: ignore[index]
    return kept


class Run:
    """An app in buckets, over and over: as Spark would, with whatever became of its checkpoint."""

    def __init__(self, app: App, stores: Stores, buckets: int) -> None:
        self._app, self._stores, self._buckets = app, stores, buckets
        self._history, self.misfits = History(stores.log), 0
        self.begin()

    def begin(self, kept: Kept | None = None) -> None:
        """Go on with a checkpoint, or with a new one."""
        log, reads = self._stores.log, PARTS[self._app].reads
        self._folding = Folding(self._app, self._stores, self._history, None)  # type: ignore[arg-type]
        self._folding.recover()
        starts = self._folding.starts
        self._sort = Sorter(len(log.ends(reads)), self._buckets, self._folding.floors)
        self._turn = Turn(
            self._app, len(log.ends(EVENTS)), self._folding.closed, starts, lambda: self._history
        )
        self.kept = kept or Kept(dict(starts), {})

    def batch(self, size: int) -> bool:
        """False when there was nothing left."""
        log, reads, writes = self._stores.log, PARTS[self._app].reads, PARTS[self._app].writes
        positions, states = self.kept
        entries = log.read(reads, positions, size)
        by_bucket: dict[int, list[bytes]] = {}
        for partition in {entry.partition for entry in entries}:
            some = [entry for entry in entries if entry.partition == partition]
            for bucket, share in self._sort(some):
                by_bucket.setdefault(bucket, []).append(share)
            positions[partition] = some[-1].offset + 1
        try:
            rows = []
            for bucket, shares in by_bucket.items():
                rows += list(self._turn(states.setdefault(bucket, Dicts()), shares))
            self._folding.take(list(Sender(lambda: log, writes)(rows)))
        except (MisfitError, UnreadableRecordError):
            self.misfits += 1
            self.begin()
        return bool(entries)


def fold(
    app: App,
    stores: Stores,
    buckets: int,
    sizes: list[int],
    losses: set[int],
    damages: dict[int, int] | None = None,
) -> int:
    """All there is, in batches of such sizes; before some the state is lost, or damaged by seed.

    How often a checkpoint did not fit.
    """
    run, batch, before = Run(app, stores, buckets), 0, list[Kept]()
    while True:
        if batch in losses:
            run.begin()
        elif damages and batch in damages and run.kept.states:
            run.begin(damaged(run.kept, before, random.Random(damages[batch])))
        before.append(run.kept.copy())
        if not run.batch(sizes[batch % len(sizes)]):
            return run.misfits
        batch += 1


@settings(max_examples=40)
@given(
    world=worlds(),
    partitions=st.integers(1, 3),
    buckets=st.integers(1, 3),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    losses=st.sets(st.integers(1, 12), max_size=3),
    damages=st.dictionaries(st.integers(1, 30), st.integers(0, 10**6), max_size=6),
)
def test_buckets_tell_what_brute_force_tells(
    world: World,
    partitions: int,
    buckets: int,
    sizes: list[int],
    losses: set[int],
    damages: dict[int, int],
) -> None:
    clock = HandClock()
    log = MemoryLog(clock, partitions)
    scopes: dict[str, MemoryState] = {}
    stores = Stores(
        clock,
        log,
        lambda scope: scopes.setdefault(scope, MemoryState(log)),
        MemorySnapshots(),
        MemorySnapshots(),
    )
    for versions in world.book._versions.values():
        log.append(ARMS, [codec.encode(one) for one in versions.values()])
    for stamp, events in world.appends():
        clock.wall = stamp
        keys = [event.decision.tracking_id for event in events]
        log.append(EVENTS, [codec.encode(event) for event in events], keys)
    clock.wall = world.end
    log.append(EVENTS, [TICK])
    fold("join", stores, buckets, sizes, losses, damages)
    fold("observe", stores, buckets, sizes, losses, damages)

    told = tell(world.log, world.book)

    def output(topic: str, kind: type[Any]) -> list[Any]:
        payloads = [entry.payload for entry in log.read(topic, {}, 10**6)]
        return [one for one in codec.decode_all(payloads) if isinstance(one, kind)]

    funnels, observations = output(FUNNELS, Funnel), output(OBSERVATIONS, Observation)
    assert sorted(map(text, funnels)) == sorted(text(one) for _, one in told.funnels)
    assert sorted(map(trial_of, observations)) == sorted(one for _, one in told.trials)
    late = sum(n for scope in scopes.values() for n in scope.load().counts.values())
    assert late == len(told.late)
    assert not any(sum(scope.load().open.values()) for scope in scopes.values())
