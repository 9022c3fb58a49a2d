"""How far rewards scatter within a period: a moving base rate is none of it."""

import numpy as np

from croupier.core.arms.panels import FloatArray


def within(n: FloatArray, r: FloatArray, r2: FloatArray, periods: int) -> FloatArray:
    """The variance of a reward in each cell, (Σr² − (Σr)²/n)/(n − 1); `periods` is that axis.

    A cell of a single trial says nothing of it: it has what the arm's other periods say together.

    >>> n, r = np.array([4.0, 1.0]), np.array([2.0, 0.0])
    >>> within(n, r, r, 0).round(4).tolist()
    [0.3333, 0.3333]
    """
    trials = np.maximum(n, 1.0)
    scatter = np.where(n > 1.0, np.maximum(r2 - r**2 / trials, 0.0), 0.0)
    degrees = np.maximum(n - 1.0, 0.0)
    known, all_degrees = (each.sum(axis=periods, keepdims=True) for each in (scatter, degrees))
    others = np.divide(known, all_degrees, out=np.zeros_like(known), where=all_degrees > 0)
    return np.where(degrees > 0, scatter / np.where(degrees > 0, degrees, 1.0), others)
