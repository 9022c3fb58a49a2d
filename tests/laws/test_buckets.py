"""Join and observe in buckets, without Spark: any cuts, and the state lost anywhere, tell the same.

This is what Spark runs, over dicts in place of its state store; `tests/spark` runs it on Spark.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from croupier.adapters.memory import MemoryLog, MemorySnapshots, MemoryState
from croupier.config.services import Stores
from croupier.core import codec
from croupier.core.records import Funnel, Observation, Tick
from croupier.ports import ARMS, EVENTS, FUNNELS, OBSERVATIONS
from croupier.runners.history import History
from croupier.runners.spark.executors import Sender
from croupier.runners.spark.folding import Folding
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
        return self._slices[number]

    def save(self, number: int, blob: bytes) -> None:
        self._slices[number] = blob

    def drop(self, number: int) -> None:
        del self._slices[number]


def fold(app: App, stores: Stores, buckets: int, sizes: list[int], losses: set[int]) -> None:
    """All there is, in batches of such sizes; before some of them the state is lost."""
    log, history = stores.log, History(stores.log)
    reads, writes = PARTS[app].reads, PARTS[app].writes
    send = Sender(lambda: log, writes)

    def begin() -> tuple[Folding, dict[int, Dicts], dict[int, int], Callable[..., Any], Turn]:
        folding = Folding(app, stores, history, None)  # type: ignore[arg-type]
        folding.recover()
        parts = len(log.ends(reads))
        turn = Turn(app, len(log.ends(EVENTS)), folding.closed, lambda: history)
        return folding, {}, dict(folding.starts), Sorter(parts, buckets, folding.floors), turn

    folding, states, positions, sort, turn = begin()
    batch = 0
    while True:
        if batch in losses:
            folding, states, positions, sort, turn = begin()
        entries = log.read(reads, positions, sizes[batch % len(sizes)])
        batch += 1
        if not entries:
            return
        by_bucket: dict[int, list[bytes]] = {}
        for partition in {entry.partition for entry in entries}:
            some = [entry for entry in entries if entry.partition == partition]
            for bucket, share in sort(some):
                by_bucket.setdefault(bucket, []).append(share)
            positions[partition] = some[-1].offset + 1
        rows = []
        for bucket, shares in by_bucket.items():
            rows += list(turn(states.setdefault(bucket, Dicts()), shares))
        folding.take(list(send(rows)))


@settings(max_examples=40)
@given(
    world=worlds(),
    partitions=st.integers(1, 3),
    buckets=st.integers(1, 3),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    losses=st.sets(st.integers(1, 12), max_size=3),
)
def test_buckets_tell_what_brute_force_tells(
    world: World, partitions: int, buckets: int, sizes: list[int], losses: set[int]
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
    fold("join", stores, buckets, sizes, losses)
    fold("observe", stores, buckets, sizes, losses)

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
