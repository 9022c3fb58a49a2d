"""Sample ratios and z as others publish them, to compare with; no command does."""

from typing import NamedTuple

import numpy as np
from scipy import special

from croupier.core.arms.panels import FloatArray

ALARM = 0.01
"""A sample ratio with a smaller p is an alarm."""


class Check(NamedTuple):
    """A test statistic and the probability of one at least as far out by chance."""

    statistic: float
    p: float


def ratio_check(counts: FloatArray, shares: FloatArray) -> Check:
    """Chi-square of counts against the shares that arms were to have, with K − 1 degrees.

    The statistic is Σ (count − N·share)²/(N·share). An arm whose share is 0 must have no count,
    else p is 0. For shares that never change, looked at once; for all others there is `balance`.

    >>> seen = np.array([3725.0, 3735.0, 3668.0, 3694.0])
    >>> round(ratio_check(seen, np.full(4, 0.25)).p, 4)
    0.8608

    Source: Pearson 1900; Fabijan et al. 2019, Diagnosing Sample Ratio Mismatch in Online Controlled
    Experiments.
    """
    expected = counts.sum() * shares
    possible = shares > 0
    if np.any(counts[~possible]):
        return Check(np.inf, 0.0)
    away = (counts - expected)[possible]
    statistic = float(np.sum(away**2 / expected[possible]))
    return Check(statistic, float(special.chdtrc(max(len(away) - 1, 1), statistic)))


def welch(n: FloatArray, mean: FloatArray, variance: FloatArray) -> Check:
    """Test the second mean against the first: z = (m₁ − m₀)/√(v₀/n₀ + v₁/n₁), p two-sided.

    `variance` is that of one observation; for large samples, where Student's t is normal.

    >>> welch(np.array([100.0, 100.0]), np.array([0.5, 0.6]), np.array([0.25, 0.24])).statistic
    1.42857...

    Source: Welch 1947, The generalization of Student's problem.
    """
    error = np.sqrt(np.sum(variance / n))
    difference = float(mean[1] - mean[0])
    z = difference / error if error else np.copysign(np.inf, difference) if difference else 0.0
    return Check(float(z), float(2.0 * special.ndtr(-abs(z))))
