"""Do counts agree with what was to be drawn; do two means differ."""

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
    else p is 0.

    >>> seen = np.array([3725.0, 3735.0, 3668.0, 3694.0])
    >>> round(ratio_check(seen, np.full(4, 0.25)).p, 4)
    0.8608

    Source: Pearson 1900; Fabijan et al. 2019, Diagnosing Sample Ratio Mismatch in Online Controlled
    Experiments.
    """
    expected = counts.sum() * shares
    return _chi_square(counts, expected, np.diag(expected) - np.outer(expected, shares))


def propensity_check(shown: FloatArray, sums: FloatArray, products: FloatArray) -> Check:
    """The same when propensities change from round to round: counts against their sums.

    `sums` holds Σ p_k and `products` Σ p_j·p_k over rounds, where p are the published propensities
    of a round. Counts have the covariance diag(Σ p) − Σ p·pᵀ, and the statistic is
    dᵀ·covariance⁻¹·d, d = counts − sums: chi-square with K − 1 degrees.

    >>> p = np.array([[0.5, 0.5], [0.9, 0.1]])
    >>> found = propensity_check(np.array([2.0, 0.0]), p.sum(axis=0), p.T @ p)
    >>> round(found.statistic, 4)  # 0.6² / (0.25 + 0.09)
    1.0588
    """
    return _chi_square(shown, sums, np.diag(sums) - products)


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


def _chi_square(counts: FloatArray, expected: FloatArray, covariance: FloatArray) -> Check:
    possible = np.diag(covariance) > 0
    if np.any(counts[~possible] != expected[~possible]):
        return Check(np.inf, 0.0)
    degrees = int(possible.sum()) - 1
    if degrees < 1:
        return Check(0.0, 1.0)
    # Rows sum to 0, so one arm follows from the others.
    kept = np.flatnonzero(possible)[:-1]
    difference = (counts - expected)[kept]
    inner = covariance[np.ix_(kept, kept)]
    statistic = float(difference @ np.linalg.solve(inner, difference))
    return Check(statistic, float(special.chdtrc(degrees, statistic)))
