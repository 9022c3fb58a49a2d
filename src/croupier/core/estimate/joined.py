"""Periods at an edge of an arm's time, of which it was there for a part only."""

import numpy as np
from numpy.typing import NDArray

from croupier.core.estimate.cells import Cells

_ERRORS = 3.0
"""By so many standard errors visits must differ, not to be the same ones."""


def in_part(
    arm: Cells, other: Cells, still: NDArray[np.bool_], others: int = 1
) -> NDArray[np.bool_]:
    """Whether an arm joined or left within a period, and is beside what it was not there for.

    Σw estimates how many visits an arm was there for, with the variance Σw² − Σw; both sides'
    errors are opposite, so that (Σw₁ − Σw₀)² is Σw₁² + Σw₀² on average where they were there for
    the same. Asked only of periods before or after which one of them was not shown, the last
    included, and in which propensities were not `still`: some callers never offer an arm to some.
    `other` may be the sum of several `others`; shape (…, T).

    Two hours of 1,000 visits; for one of them the arm was there for 500 only:

    >>> one, two = np.array([1000.0, 500.0]), np.array([1000.0, 1000.0])
    >>> w2 = np.array([2500.0, 2500.0])
    >>> sides = [Cells(w / 2, w, w, w, w2, w, w, w) for w in (one, two)]
    >>> in_part(*sides, np.array([False, False])).tolist()
    [False, True]
    """
    both = (arm.n > 0) & (other.n > 0)
    none = np.zeros_like(both[..., :1])
    earlier = np.concatenate([none, both[..., :-1]], axis=-1)
    later = np.concatenate([both[..., 1:], none], axis=-1)
    error = _ERRORS**2 * (arm.w2 + other.w2 / others**2)
    away = (arm.w - other.w / others) ** 2 > error
    return np.asarray(both & ~(earlier & later) & ~still & away)
