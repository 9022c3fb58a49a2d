"""Rewards that are 0 or 1: Beta posteriors."""

from collections.abc import Sequence

import msgspec
import numpy as np
from scipy import special

from croupier.core.arms.best import best_beta
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.prior import Prior
from croupier.core.arms.sums import Reading, Tried


class Beta(msgspec.Struct, frozen=True, tag="beta", tag_field="kind"):
    """Independent Beta(a, b) beliefs, one an arm; all begin as Beta(a₀, b₀), here Beta(1, 1).

    a = a₀ + Σr, b = b₀ + n − Σr. A stated prior gives a₀ = mean · trials and
    b₀ = (1 − mean) · trials. Use it when a capped reward can only be 0 or 1; an arm with
    73 clicks in 3,725 trials has mean a / (a + b):

    >>> belief = Beta.read(Reading(n=(3725,), r=(73,), r2=(73,)))
    >>> belief.a, belief.b, round(float(belief.mean()[0]), 6)
    ((74.0,), (3653.0,), 0.019855)

    Source: Thompson 1933, On the likelihood that one unknown probability exceeds another.
    """

    a: tuple[float, ...]
    b: tuple[float, ...]
    prior: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def read(cls, reading: Reading, prior: Prior | None = None) -> "Beta":
        """The posterior after the (perhaps discounted) trials that were read.

        >>> Beta.read(Reading(n=(10,), r=(1,), r2=(1,)), Prior(mean=0.02, trials=50))
        Beta(a=(2.0,), b=(58.0,), prior=(1.0, 49.0))
        """
        mean, trials = (0.5, 2.0) if prior is None else (prior.mean, prior.trials)
        a0, b0 = mean * trials, (1.0 - mean) * trials
        n, r = np.asarray(reading.n), np.asarray(reading.r)
        a, b = a0 + r, b0 + np.maximum(n - r, 0.0)
        return cls(tuple(a.tolist()), tuple(b.tolist()), (a0, b0))

    def mean(self) -> FloatArray:
        """Expected reward a trial, one number an arm."""
        a, b = np.asarray(self.a), np.asarray(self.b)
        return np.asarray(a / (a + b))

    def best(self) -> FloatArray:
        """P(arm is best), one number an arm, summing to 1."""
        return best_beta(np.asarray(self.a), np.asarray(self.b))

    def at(self, levels: FloatArray) -> FloatArray:
        """Quantiles of each arm's expected reward, shape (K, L).

        >>> Beta(a=(74.0,), b=(3653.0,)).at(np.array([0.025, 0.975])).round(4).tolist()
        [[0.0156, 0.0246]]
        """
        a, b = np.asarray(self.a)[:, None], np.asarray(self.b)[:, None]
        return np.asarray(special.betaincinv(a, b, levels))

    def take(self, arms: Sequence[int]) -> "Beta":
        """The same beliefs, of the arms at these places only."""
        return Beta(tuple(self.a[i] for i in arms), tuple(self.b[i] for i in arms), self.prior)

    def tried(self) -> Tried:
        """Trials and mean reward, without the prior.

        >>> Beta(a=(74.0,), b=(3653.0,)).tried()
        Tried(n=array([3725.]), mean=array([0.01959732]))
        """
        hits, misses = np.asarray(self.a) - self.prior[0], np.asarray(self.b) - self.prior[1]
        return Tried.of(hits + misses, hits, 0.0, 1.0)
