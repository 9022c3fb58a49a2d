"""What a simulation found out: regret and shares over time, learned against true."""

import msgspec
import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.worlds.ledger import Account
from croupier.core.worlds.world import Whole


class Run(msgspec.Struct, frozen=True):
    """How one policy fared.

    By step: `shares` of the visits that were shown each arm, and `regret` up to the step's end.
    At the end: the share of visits of the last step that saw the then best arm, the reward
    learned, regret as a part of what equal shares would have lost. `learned` is what the ring
    counted, `expected` what the world knows to have happened.
    """

    policy: str
    regret: list[float]
    shares: list[list[float]]
    best_share: float
    of_uniform: float
    reward: float
    duplicates: int
    snapshots: int
    exact: bool
    learned: Account
    expected: Account


class Simulation(msgspec.Struct, frozen=True):
    """What happened in one world. `times` are the ends of steps, milliseconds since its start.

    `best` is the arm that led for most of each step's visits; `uniform_regret` is what equal
    shares would have lost, in expectation.
    """

    world: str
    seed: int
    visits: int
    arms: list[str]
    rates: list[float]
    times: list[int]
    best: list[str]
    uniform_regret: list[float]
    runs: list[Run]


class Course(msgspec.Struct, frozen=True):
    """Time cut into equal steps, and the true value of each arm at each visit.

    Regret is Σ over visits of max_k μ_k(t) − μ_shown(t): expected, so that luck is not in it.

    >>> two = Course(np.array([[0.1, 0.3], [0.2, 0.1]]), np.array([0, 1]), 2)
    >>> two.regret(np.array([0, 1])).round(3), two.uniform_regret().round(3)
    (array([0.2, 0.3]), array([0.1 , 0.15]))
    """

    truth: FloatArray
    step: Whole
    steps: int

    def regret(self, shown: Whole) -> FloatArray:
        """Cumulative regret at the end of each step, when these arms were shown."""
        got = np.take_along_axis(self.truth, shown[:, None], axis=1)[:, 0]
        return self._cumulative(self.truth.max(axis=1) - got)

    def uniform_regret(self) -> FloatArray:
        """The same, expected of equal shares."""
        return self._cumulative(self.truth.max(axis=1) - self.truth.mean(axis=1))

    def shares(self, shown: Whole) -> FloatArray:
        """The share of each arm (columns) in each step (rows); one without visits repeats.

        >>> Course(np.ones((2, 2)), np.array([0, 2]), 3).shares(np.array([0, 1])).tolist()
        [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
        """
        arms = self.truth.shape[1]
        counts = np.bincount(self.step * arms + shown, minlength=self.steps * arms)
        counts = counts.reshape(self.steps, arms)
        visited = np.where(counts.any(axis=1), np.arange(self.steps), self.step[0])
        last = np.maximum.accumulate(visited)
        return np.asarray(counts[last] / counts[last].sum(axis=1, keepdims=True))

    def best(self) -> list[int]:
        """The arm that was truly best for most visits of each step."""
        return [int(arm) for arm in self.shares(self.truth.argmax(axis=1)).argmax(axis=1)]

    def _cumulative(self, lost: FloatArray) -> FloatArray:
        return np.cumsum(np.bincount(self.step, weights=lost, minlength=self.steps))
