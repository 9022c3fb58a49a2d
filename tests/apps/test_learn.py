"""Publishing: what changes while a snapshot is being made is in the next one."""

import msgspec

from croupier.adapters.memory import MemorySnapshots
from croupier.apps.learn import Learn
from croupier.core import arm_changes
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.declarations import Declarations
from croupier.core.experiment import Experiment
from croupier.core.reward import Reward, Term
from croupier.core.snapshot import Snapshot
from croupier.ports import Tally

SPEC = Experiment("b", ("x", "y", "z"), "x", Reward({"click": Term(1.0)}))


class Interrupted(MemorySnapshots):
    """A cache during whose first `put` somebody pauses an arm, and during whose second it fails."""

    def __init__(self, book: Declarations) -> None:
        super().__init__()
        self.book, self.learn, self.puts = book, Learn(book, self), 0

    def put(self, snapshot: Snapshot, tally: Tally | None = None) -> bool:
        self.puts += 1
        if self.puts == 1:
            paused = arm_changes.pause(self.book.arms(SPEC.name), SPEC.arms[1])
            self.book.apply(msgspec.structs.replace(paused, version=paused.version + 1))
            self.learn.touch(SPEC.name)
        if self.puts == 2:
            raise OSError("the disk is full")
        return super().put(snapshot, tally)


def test_a_change_during_a_refresh_is_in_the_next_also_after_a_failure() -> None:
    book = Declarations()
    for record in book.changes(SPEC, 0):
        book.apply(record)
    cache = Interrupted(book)
    (first,) = cache.learn.refresh([SPEC.name], 10_000, 0)
    assert first.names == SPEC.arms
    try:
        cache.learn.refresh([SPEC.name], 10_001, 0)
    except OSError:
        (third,) = cache.learn.refresh([SPEC.name], 10_002, 0)
    assert third.names == (SPEC.arms[0], *SPEC.arms[2:])
    assert cache.learn.refresh([SPEC.name], 10**9, 0) == []


class Told(MemorySnapshots):
    """A cache that keeps what it is told of the arms."""

    def put(self, snapshot: Snapshot, tally: Tally | None = None) -> bool:
        self.tally = tally
        return super().put(snapshot, tally)


def test_what_was_counted_of_each_arm_is_told_with_the_snapshot() -> None:
    """Over all slots and periods; the holdout's trials are not among them."""
    book = Declarations()
    for record in book.changes(SPEC, 0):
        book.apply(record)
    cache = Told()
    learn = Learn(book, cache)
    trial = Sums.of(500_000, 0.5)
    learn.take({StateKey("b", 0, 0, 1, "policy", 0): trial})
    learn.take({StateKey("b", 0, 1, 1, "policy", 0): trial})
    learn.take({StateKey("b", 0, 0, 1, "policy", 3_600_000): trial})
    learn.take({StateKey("b", 2, 0, 1, "holdout", 0): trial})
    learn.refresh(["b"], 10_000, 7_200_000)
    assert cache.tally == Tally("", [3, 0, 0], [1_500_000, 0, 0])


def test_a_version_that_somebody_else_gave_is_not_given_again() -> None:
    """What is refused is made anew above it, at the next turn."""
    book = Declarations()
    for record in book.changes(SPEC, 0):
        book.apply(record)
    cache = MemorySnapshots()
    learn = Learn(book, cache)
    (first,) = learn.refresh([SPEC.name], 10_000, 0)
    assert [one.snapshot for one in learn.published] == [first]
    cache.put(msgspec.structs.replace(first, version=7, weights=(1.0, 0.0, 0.0)))
    learn.take({StateKey(SPEC.name, 0, 0, 1, "policy", 0): Sums(n=5)})
    assert learn.refresh([SPEC.name], 30_000, 0) == []
    (again,) = learn.refresh([SPEC.name], 30_001, 0)
    assert again.version == 8
    (told,) = learn.published
    assert (told.snapshot, list(told.tally.n)) == (again, [5, 0, 0])
