"""Spark for learn: executors add up what is new, the driver commits."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import msgspec

from croupier.config.services import open_states
from croupier.ports import OBSERVATIONS, Entry, EventLog, Positions, StateStore
from croupier.runners.distributed.gathered import Gathered, gather
from croupier.runners.distributed.learning import Learner
from croupier.runners.distributed.worker import insist
from croupier.runners.history import History
from croupier.runners.spark.executors import NEVER
from croupier.runners.spark.misfit import must_reach


@lru_cache(maxsize=4)
def states_at(url: str) -> StateStore:
    """The state store, opened once in each worker process; read only."""
    return insist(lambda: open_states(url, "learn", read_only=True), NEVER)


class Gatherer:
    """Adds up those entries of one task that are behind the committed positions."""

    def __init__(
        self,
        positions: Positions,
        oldest: int,
        history: Callable[[], History],
        states: Callable[[], StateStore],
    ) -> None:
        self._positions, self._oldest = positions, oldest
        self._history, self._states = history, states

    def __call__(self, entries: Iterable[Entry]) -> Iterator[bytes]:
        """Where they began, and what they add; nothing when all were added before."""
        new = [one for one in entries if one.offset >= self._positions.get(one.partition, 0)]
        if not new:
            return
        first: Positions = {}
        for entry in new:
            first.setdefault(entry.partition, entry.offset)
        history, known = self._history(), self._states().known
        gathered = insist(
            lambda: history.knowing(lambda: gather(new, history.declarations, known, self._oldest)),
            NEVER,
        )
        yield msgspec.msgpack.encode((first, gathered.encode()))


class Gathering:
    """The plain learner, fed with what Spark's tasks have added up."""

    def __init__(self, learner: Learner, log: EventLog) -> None:
        self._learner, self._log = learner, log
        self.starts: Positions = {}

    def recover(self) -> None:
        """Where reading begins without a checkpoint: what is committed, or what is left of it."""
        first = insist(lambda: self._log.since(OBSERVATIONS, 0), self._learner.stop)
        stood = self._learner.positions
        self.starts = {number: max(stood.get(number, 0), at) for number, at in first.items()}

    def gatherer(
        self, history: Callable[[], History], states: Callable[[], StateStore]
    ) -> Gatherer:
        """For the next batch: behind what is committed now."""
        return Gatherer(dict(self._learner.positions), self._learner.oldest, history, states)

    def stood(self) -> Positions:
        """What is committed now."""
        return dict(self._learner.positions)

    def take(self, told: Iterable[bytes]) -> None:
        """Commit what the tasks of a batch have added up, in one transaction."""
        gathered = []
        for one in told:
            first, encoded = msgspec.msgpack.decode(one, type=tuple[dict[int, int], bytes])
            for number, at in first.items():
                stood = self._learner.positions.get(number, 0)
                must_reach(f"partition {number} of {OBSERVATIONS}", stood, self.starts[number], at)
            gathered.append(Gathered.decode(encoded))
        if gathered:
            self._learner.add(gathered)
