"""Ratios of two arms over all periods together: another opinion, and a wrong one."""

import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.estimate.cells import Cells


def pooled_ratio(arm: Cells, other: Cells) -> FloatArray:
    """Σr₁/Σn₁ over Σr₀/Σn₀: the wrong way, shown to be compared with; shape (…, T) → (…).

    Under changing shares it says which arm was shown in good times. In a world whose base rate
    rises from 2 % to 10 % two arms with a true ratio of 1.05 look like this (FIELD §4.8):

    >>> n1, n0 = np.array([100.0, 900.0]), np.array([900.0, 100.0])
    >>> p = np.array([0.02, 0.1])
    >>> cells = [Cells(n, n * q, *[n * q] * 6) for n, q in ((n1, 1.05 * p), (n0, p))]
    >>> round(float(pooled_ratio(*cells)), 2)
    3.45
    """
    means = [_quotient(each.r.sum(axis=-1), each.n.sum(axis=-1)) for each in (arm, other)]
    return _quotient(*means)


def weighted_ratio(arm: Cells, other: Cells) -> FloatArray:
    """Σw₁r₁/Σw₁ over Σw₀r₀/Σw₀ in periods that showed both: Hájek's estimator, w = 1/propensity.

    Right when shares change within a period too, where a period's mean is not; noisier, because a
    rare arm's trials weigh much. Shape (…, T) → (…).

    >>> one = np.array([1.0])
    >>> two = [Cells(one, one, one, w * one, one, w * r * one, one, one)
    ...        for w, r in ((10.0, 0.3), (2.0, 0.2))]
    >>> round(float(weighted_ratio(*two)), 2)
    1.5

    Source: Hájek 1971, in Foundations of Statistical Inference.
    """
    both = (arm.n > 0) & (other.n > 0)
    sums = [np.where(both, each, 0.0).sum(axis=-1) for each in (arm.wr, other.w, other.wr, arm.w)]
    return _quotient(sums[0] * sums[1], sums[2] * sums[3])


def _quotient(above: FloatArray, below: FloatArray) -> FloatArray:
    unknown = np.full_like(above, np.nan)
    return np.asarray(np.divide(above, below, out=unknown, where=below != 0))
