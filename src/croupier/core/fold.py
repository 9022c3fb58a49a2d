"""The one shape of a keyed stage: key · step · deadline · close."""

import heapq
from collections import Counter
from collections.abc import Iterable
from typing import Any, Generic, Protocol, TypeVar

R = TypeVar("R")
K = TypeVar("K", bound=tuple[Any, ...])
S = TypeVar("S")
C = TypeVar("C")
C_out = TypeVar("C_out", covariant=True)
R_in = TypeVar("R_in", contravariant=True)

GRAIN = 128
"""Stories are closed in buckets of so many milliseconds of deadline."""


class Fold(Protocol[R_in, K, S, C_out]):
    """A semilattice of records by key: any order and any repetition give the same story.

    A key is a tuple whose first part is the experiment.
    """

    def key(self, record: R_in) -> K:
        """Which story the record belongs to."""

    def deadline(self, key: K) -> int:
        """When that story ends, in log time: a function of the key alone."""

    def step(self, state: S | None, record: R_in) -> S:
        """The story, one record later; may reuse `state`."""

    def close(self, key: K, state: S) -> Iterable[C_out]:
        """What the story was."""


class Stage(Generic[R, K, S, C]):
    """The open stories of one fold, and the time up to which stories have been closed.

    Invariant: after `advance(w)` exactly the stories with `closes(deadline) <= w` are gone.
    Because that depends on the key alone, a reader that re-reads the log from w − H − GRAIN,
    applies what it finds and calls `settle(w)` holds the same open stories as one that never
    stopped.
    """

    def __init__(self, fold: Fold[R, K, S, C]) -> None:
        self.fold = fold
        self.open: dict[K, S] = {}
        self.count: Counter[str] = Counter()
        self.watermark = 0
        self._due: dict[int, list[K]] = {}
        self._buckets: list[int] = []

    @staticmethod
    def closes(deadline: int) -> int:
        """The first watermark at which a story with this deadline is closed.

        >>> Stage.closes(0), Stage.closes(GRAIN - 1), Stage.closes(GRAIN)
        (128, 128, 256)
        """
        return (deadline // GRAIN + 1) * GRAIN

    def apply(self, record: R, stamp: int) -> bool:
        """Take one record that the log stamped; False when it is late for its story."""
        key = self.fold.key(record)
        state = self.open.get(key)
        if state is None:
            deadline = self.fold.deadline(key)
            if stamp > deadline:
                return False
            self._schedule(key, deadline)
        elif stamp > self.fold.deadline(key):
            return False
        self.open[key] = self.fold.step(state, record)
        return True

    def restore(self, key: K, state: S) -> None:
        """Take a story that was saved open."""
        if key not in self.open:
            self._schedule(key, self.fold.deadline(key))
        self.open[key] = state

    def clear(self) -> None:
        """Forget every open story, as before the first record."""
        self.open.clear()
        self.count.clear()
        self._due.clear()
        self._buckets.clear()

    def advance(self, watermark: int) -> list[C]:
        """Close every story that is due; what they were, in order of deadline."""
        closed: list[C] = []
        for key, state in self._take_due(watermark):
            closed.extend(self.fold.close(key, state))
        return closed

    def settle(self, watermark: int) -> None:
        """Forget every story that is due, without a word: it was told before."""
        for _ in self._take_due(watermark):
            pass

    def next_close(self) -> int | None:
        """The watermark at which the next story closes, or None when none is open."""
        return (self._buckets[0] + 1) * GRAIN if self._buckets else None

    def _schedule(self, key: K, deadline: int) -> None:
        self.count[key[0]] += 1
        bucket = deadline // GRAIN
        keys = self._due.get(bucket)
        if keys is None:
            self._due[bucket] = [key]
            heapq.heappush(self._buckets, bucket)
        else:
            keys.append(key)

    def _take_due(self, watermark: int) -> Iterable[tuple[K, S]]:
        self.watermark = max(self.watermark, watermark)
        while self._buckets and (self._buckets[0] + 1) * GRAIN <= self.watermark:
            for key in self._due.pop(heapq.heappop(self._buckets)):
                self.count[key[0]] -= 1
                yield key, self.open.pop(key)
