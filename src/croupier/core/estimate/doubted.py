"""What the fitted weights of a reward leave uncertain of a comparison."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from scipy import special

from croupier.core.arms.panels import FloatArray
from croupier.core.signals import Doubt


class Doubted(NamedTuple):
    """The signals of both sides, summed as a contrast sums rewards, and Σ of their weights.

    Rewards are Σ weight·signal, so a contrast of rewards is that sum of the signals' contrasts:
    `gained` is G and `base` is B, shape (k,), one a signal. The base of the late metric, common to
    all arms, falls out.
    """

    gained: FloatArray
    base: FloatArray
    covariance: FloatArray

    @classmethod
    def of(cls, doubt: Doubt, sums: Sequence[tuple[FloatArray, FloatArray]]) -> Self:
        """From Σ and each signal's gained and base, in the order of the declaration."""
        gained, base = np.array(sums, dtype=np.float64).reshape(-1, 2).T
        return cls(gained, base, doubt.covariance)

    def noise(self, theta: FloatArray | float = 1.0) -> FloatArray:
        """The variance of gained − θ base from the weights: (G − θB)ᵀ Σ (G − θB), of θ's shape.

        >>> one = Doubted(np.array([3.0]), np.array([1.0]), np.array([[0.25]]))
        >>> one.noise(np.array([1.0, 3.0])).tolist()
        [1.0, 0.0]
        """
        away = self.gained - np.multiply.outer(theta, self.base)
        found = np.einsum("...i,ij,...j->...", away, self.covariance, away)
        return np.asarray(np.maximum(found, 0.0))

    def share(self, alpha: float) -> float:
        """What trials may have of an error of alpha: half of it, where weights have the rest."""
        return alpha / 2.0 if self.covariance.any() else alpha

    def reach(self, alpha: float, theta: FloatArray | float = 1.0) -> FloatArray:
        """How far from 0 the weights may have put gained − θ base, with probability 1 − alpha/2.

        √(χ²(k) (G − θB)ᵀ Σ (G − θB)), at once for every arm and look: the weights are fitted once,
        and whatever G and B become, no sum of their errors is further out than that.

        >>> one = Doubted(np.array([3.0]), np.array([1.0]), np.array([[0.25]]))
        >>> round(float(one.reach(0.1)), 2)
        1.96

        Source: Scheffé 1953, A method for judging all contrasts in the analysis of variance.
        """
        if not self.covariance.any():
            return np.zeros(np.shape(theta))
        most = special.chdtri(len(self.gained), alpha / 2.0)
        return np.asarray(np.sqrt(most * self.noise(theta)))


CERTAIN = Doubted(np.zeros(0), np.zeros(0), np.zeros((0, 0)))
"""Of a reward whose weights were not fitted."""
