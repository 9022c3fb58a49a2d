"""How far rewards scatter within a period: a moving base rate is none of it."""

import numpy as np

from croupier.core.arms.panels import FloatArray

_ROUNDING = 1e-12


def beyond_rounding(scatter: FloatArray, squares: FloatArray) -> FloatArray:
    """A sum of squared deviations, 0 where it is but the rounding of Σr²: rewards were all alike.

    >>> r = np.array([0.7])
    >>> beyond_rounding(7 * r**2 - (7 * r) ** 2 / 7 + 1e-16, 7 * r**2).tolist()
    [0.0]
    """
    return np.where(scatter > _ROUNDING * squares, scatter, 0.0)


def within(n: FloatArray, r: FloatArray, r2: FloatArray, periods: int) -> FloatArray:
    """The variance of a reward in each cell, (Σr² − (Σr)²/n)/(n − 1); `periods` is that axis.

    A cell of a single trial says nothing of it: it has what the arm's other periods say together,
    or, where each has but one, how far these scatter, a base rate that moved among them included.

    >>> n, r = np.array([4.0, 1.0]), np.array([2.0, 0.0])
    >>> within(n, r, r, 0).round(4).tolist()
    [0.3333, 0.3333]
    >>> n, r = np.ones(4), np.array([1.0, 0.0, 0.0, 0.0])
    >>> within(n, r, r, 0).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    trials = np.maximum(n, 1.0)
    scatter = np.where(n > 1.0, beyond_rounding(r2 - r**2 / trials, r2), 0.0)
    degrees = np.maximum(n - 1.0, 0.0)
    known, all_degrees, all_n, all_r, all_r2 = (
        each.sum(axis=periods, keepdims=True) for each in (scatter, degrees, n, r, r2)
    )
    whole = beyond_rounding(all_r2 - all_r**2 / np.maximum(all_n, 1.0), all_r2)
    others = np.where(
        all_degrees > 0,
        known / np.where(all_degrees > 0, all_degrees, 1.0),
        whole / np.maximum(all_n - 1.0, 1.0),
    )
    return np.where(degrees > 0, scatter / np.where(degrees > 0, degrees, 1.0), others)
