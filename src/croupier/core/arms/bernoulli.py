"""Rewards that are 0 or 1: Beta posteriors."""

from collections.abc import Sequence

import msgspec
import numpy as np

from croupier.core.arms.best import best_beta
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import Reading


class Beta(msgspec.Struct, frozen=True, tag="beta", tag_field="kind"):
    """Independent Beta(a, b) beliefs, one an arm; the prior is Beta(1, 1).

    a = 1 + Σr, b = 1 + n − Σr. Use it when a capped reward can only be 0 or 1; an arm with
    73 clicks in 3,725 trials has mean a / (a + b):

    >>> belief = Beta.read(Reading(n=(3725,), r=(73,), r2=(73,)))
    >>> belief.a, belief.b, round(float(belief.mean()[0]), 6)
    ((74.0,), (3653.0,), 0.019855)

    Source: Thompson 1933, On the likelihood that one unknown probability exceeds another.
    """

    a: tuple[float, ...]
    b: tuple[float, ...]

    @classmethod
    def read(cls, reading: Reading) -> "Beta":
        """The posterior after the (perhaps discounted) trials that were read."""
        n, r = np.asarray(reading.n), np.asarray(reading.r)
        return cls(tuple((1.0 + r).tolist()), tuple((1.0 + np.maximum(n - r, 0.0)).tolist()))

    def mean(self) -> FloatArray:
        """Expected reward a trial, one number an arm."""
        a, b = np.asarray(self.a), np.asarray(self.b)
        return np.asarray(a / (a + b))

    def best(self) -> FloatArray:
        """P(arm is best), one number an arm, summing to 1."""
        return best_beta(np.asarray(self.a), np.asarray(self.b))

    def take(self, arms: Sequence[int]) -> "Beta":
        """The same beliefs, of the arms at these places only."""
        return Beta(tuple(self.a[i] for i in arms), tuple(self.b[i] for i in arms))
