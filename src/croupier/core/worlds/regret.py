"""What a simulation found out: regret and shares over time, learned against true."""

import msgspec
import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.worlds.ledger import Account
from croupier.core.worlds.world import Whole


class Run(msgspec.Struct, frozen=True):
    """How one policy fared.

    By step: `shares` of the visits that were shown each arm, and `regret` up to the step's end.
    At the end: the share of the last step's slots that showed the then best arms, the reward
    learned, regret as a part of what equal shares would have lost, and how much the ranking still
    moves (`churn`, over the last 60 snapshots; None before there are two). `learned` is what the
    ring counted, `expected` what the world knows to have happened.
    """

    policy: str
    regret: list[float]
    shares: list[list[float]]
    best_share: float
    of_uniform: float
    reward: float
    duplicates: int
    snapshots: int
    churn: float | None
    exact: bool
    learned: Account
    expected: Account


class Simulation(msgspec.Struct, frozen=True):
    """What happened in one world. `times` are the ends of steps, milliseconds since its start.

    `best` is the arm that led for most of each step's visits; `uniform_regret` is what equal
    shares would have lost, in expectation. `attention` says how likely each slot is looked at.
    """

    world: str
    seed: int
    visits: int
    arms: list[str]
    rates: list[float]
    attention: list[float]
    times: list[int]
    best: list[str]
    uniform_regret: list[float]
    runs: list[Run]


class Course(msgspec.Struct, frozen=True):
    """Time cut into equal steps, and the true value of each arm at each visit.

    Regret is Σ over visits of Σ_j e_j · (μ_(j)(t) − μ_shown,j(t)), with e_j how likely slot j is
    looked at and μ_(j) the j-th highest value: what the best slate in its best order would have
    earned beyond the one shown, in expectation, so that luck is not in it. For one slot that is
    max_k μ_k(t) − μ_shown(t). Where slots are pooled, slates are shown in a random order, and
    what that costs is in it, too.

    >>> two = Course(np.array([[0.1, 0.3], [0.2, 0.1]]), np.array([0, 1]), 2)
    >>> two.regret(np.array([0, 1])).round(3), two.uniform_regret().round(3)
    (array([0.2, 0.3]), array([0.1 , 0.15]))
    >>> slate = Course(np.array([[0.1, 0.3, 0.2]]), np.array([0]), 1, (1.0, 0.5))
    >>> slate.regret(np.array([[1, 2]])).round(3), slate.regret(np.array([[2, 1]])).round(3)
    (array([0.]), array([0.05]))
    """

    truth: FloatArray
    step: Whole
    steps: int
    attention: tuple[float, ...] = (1.0,)

    def regret(self, shown: Whole) -> FloatArray:
        """Cumulative regret at the end of each step, when these arms were shown."""
        got = np.take_along_axis(self.truth, self._slates(shown), axis=1)
        return self._cumulative(self._most() - got @ np.asarray(self.attention))

    def uniform_regret(self) -> FloatArray:
        """The same, expected of equal shares."""
        return self._cumulative(self._most() - self.truth.mean(axis=1) * sum(self.attention))

    def shares(self, shown: Whole) -> FloatArray:
        """The part of each step's slots (rows) that showed each arm (columns).

        A step without visits repeats the one before.

        >>> Course(np.ones((2, 2)), np.array([0, 2]), 3).shares(np.array([0, 1])).tolist()
        [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
        """
        arms = self.truth.shape[1]
        cells = self.step[:, None] * arms + self._slates(shown)
        counts = np.bincount(cells.ravel(), minlength=self.steps * arms)
        counts = counts.reshape(self.steps, arms)
        visited = np.where(counts.any(axis=1), np.arange(self.steps), self.step[0])
        last = np.maximum.accumulate(visited)
        return np.asarray(counts[last] / counts[last].sum(axis=1, keepdims=True))

    def best(self) -> list[int]:
        """The arm that was truly best for most visits of each step."""
        return [int(arm) for arm in self.shares(self.truth.argmax(axis=1)).argmax(axis=1)]

    def best_at_the_end(self) -> list[int]:
        """The arms that belonged into most slates of the last step, as many as there are slots."""
        slots = len(self.attention)
        best = np.argsort(-self.truth, axis=1, kind="stable")[:, :slots]
        last = self.shares(best)[-1]
        return np.argsort(-last, kind="stable")[:slots].tolist()  # type: ignore[no-any-return]

    def _most(self) -> FloatArray:
        """What the best slate would earn at each visit."""
        slots = len(self.attention)
        return np.asarray(-np.sort(-self.truth, axis=1)[:, :slots] @ np.asarray(self.attention))

    def _slates(self, shown: Whole) -> Whole:
        return shown.reshape(len(self.truth), -1)

    def _cumulative(self, lost: FloatArray) -> FloatArray:
        return np.cumsum(np.bincount(self.step, weights=lost, minlength=self.steps))
