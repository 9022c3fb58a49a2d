"""A reward model for DM and DR: smoothed means, learned on other folds."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from croupier.core.arms.panels import FloatArray
from croupier.core.reward import MICRO

IntArray = NDArray[np.int64]

FOLDS = 3
"""A round's model has learned from the other two thirds."""

PRIOR_TRIALS = 10.0
"""What the prior of an arm is worth: ten trials with the mean of all arms."""


class RewardModel:
    """q(position, arm) = (κ·m₀ + Σr)/(κ + n), κ = 10, m₀ the mean of all rounds of other folds.

    What it knows is whole millionths of rewards, so that models of parts of a log add up to the
    same in any order (while a total is below 9·10⁹; then digits beyond the sixteenth are lost).

    >>> model = RewardModel(positions=1, arms=2)
    >>> zero, arm = np.zeros(4, dtype=np.int64), np.array([0, 0, 1, 1])
    >>> _ = model.add(zero, arm, zero + 1, np.array([1.0, 0.0, 0.0, 0.0]))
    >>> model.expected()[0].round(4).tolist()  # fold 0 learns from fold 1: (10/4 + 1)/12, 2.5/12
    [[0.2917, 0.2083]]
    """

    def __init__(self, positions: int, arms: int) -> None:
        self.n = np.zeros((FOLDS, positions, arms), dtype=np.int64)
        self.r = np.zeros((FOLDS, positions, arms))

    def add(self, position: IntArray, arm: IntArray, fold: IntArray, reward: FloatArray) -> Self:
        """Learn from some rounds."""
        _, positions, arms = self.n.shape
        place = (fold * positions + position) * arms + arm
        counts = np.bincount(place, minlength=self.n.size)
        micros = np.bincount(place, weights=np.rint(reward * MICRO), minlength=self.r.size)
        self.n += counts.reshape(self.n.shape)
        self.r += micros.reshape(self.r.shape)
        return self

    def __iadd__(self, other: "RewardModel") -> Self:
        """Know what another model knows, too."""
        self.n += other.n
        self.r += other.r
        return self

    def grown(self, positions: int, arms: int) -> "RewardModel":
        """The same with room for more positions and arms."""
        grown = RewardModel(positions, arms)
        _, known_positions, known_arms = self.n.shape
        grown.n[:, :known_positions, :known_arms] = self.n
        grown.r[:, :known_positions, :known_arms] = self.r
        return grown

    def expected(self) -> FloatArray:
        """Return q by (fold of the round that asks, position, arm), learned without that fold."""
        n = (self.n.sum(axis=0) - self.n).astype(np.float64)
        r = (self.r.sum(axis=0) - self.r) / MICRO
        trials = n.sum(axis=(1, 2), keepdims=True)
        mean = r.sum(axis=(1, 2), keepdims=True) / np.maximum(trials, 1.0)
        return np.asarray((PRIOR_TRIALS * mean + r) / (PRIOR_TRIALS + n))

    def shown(self) -> NDArray[np.bool_]:
        """Which arms were ever shown, by position."""
        return np.asarray(self.n.sum(axis=0) > 0)
