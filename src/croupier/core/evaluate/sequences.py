"""Confidence sequences: intervals that may be looked at after every round."""

from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np

from croupier.core.arms.panels import FloatArray

ALPHA = 0.05
"""How often an interval may be wrong, at any time ever."""

_STAKES = 0.9 * 2.0 ** -np.arange(20.0)
"""λ·b: what a bettor puts at risk; small stakes suit long sequences and large ones rare gains."""
_PSI = np.where(
    _STAKES < 1e-4, _STAKES**2 * (0.5 + _STAKES / 3), -np.log1p(-_STAKES) - _STAKES
)  # the series where the difference would lose its digits
_LEAST_REACH = 1e-9
_POINTS, _CLOSER = 128, 6


class Interval(NamedTuple):
    """From low to high; an end that is not known is infinite."""

    low: float
    high: float

    def within(self, low: float, high: float) -> Self:
        """What of it is possible where the truth lies in [low, high]; its nearest end if nothing.

        >>> Interval(-0.5, 0.25).within(0.0, 1.0), Interval(1.5, 2.0).within(0.0, 1.0)
        (Interval(low=0.0, high=0.25), Interval(low=1.0, high=1.0))
        """
        return type(self)(min(max(self.low, low), high), max(min(self.high, high), low))


class Moments(NamedTuple):
    """What an interval needs of some numbers: how many, their sum, the sum of their squares."""

    n: float
    s: FloatArray | float
    s2: FloatArray | float

    def about(self, centre: FloatArray | float) -> "Moments":
        """The moments of x − centre.

        >>> Moments(2, 3.0, 5.0).about(1.0)  # 1 and 2 become 0 and 1
        Moments(n=2, s=1.0, s2=...1.0...)
        """
        squares = self.s2 - 2.0 * centre * self.s + self.n * centre * centre
        return Moments(self.n, self.s - self.n * centre, np.maximum(squares, 0.0))


def log_evidence(gains: Moments, reach: FloatArray | float) -> FloatArray:
    """The log of a bettor's capital against "these gains have mean at most 0"; gains ≥ −reach.

    capital = mean over λ of exp(λ Σx − (−log(1 − λb) − λb)/b² · Σx²), b = reach > 0, and twenty λ
    with λb = 0.9, 0.45, … . Each factor is at most 1 + λx (Fan, Grama & Liu 2015, Exponential
    inequalities for martingales), so that under that hypothesis the capital is a supermartingale
    and reaches 1/α once in all time with probability at most α (Ville 1939). It is a function of
    sums: rounds may come in any order, and tallies may be merged.

    >>> round(float(log_evidence(Moments(20, 20.0, 20.0), 1.0)), 2)  # twenty gains of 1 each
    3.22
    """
    b = np.maximum(np.asarray(reach, dtype=np.float64), _LEAST_REACH)[..., None]
    penalty = _PSI / (b * b)
    gained, squares = np.asarray(gains.s)[..., None], np.asarray(gains.s2)[..., None]
    return _log_mean_exp(_STAKES / b * gained - penalty * squares, axis=-1)


def either(*evidence: FloatArray) -> FloatArray:
    """The log capital of bettors who share their stakes equally; none of them needs to be right."""
    return _log_mean_exp(np.stack(evidence), axis=0)


def _log_mean_exp(x: FloatArray, axis: int) -> FloatArray:
    largest = x.max(axis=axis, keepdims=True)
    return np.asarray(np.log(np.exp(x - largest).mean(axis=axis)) + largest.squeeze(axis))


def furthest(
    evidence: Callable[[FloatArray], FloatArray], near: float, far: float, alpha: float = ALPHA
) -> float:
    """The end of an interval: the value nearest to `near` that is rejected, or `far` if none is.

    `evidence` gives the log capital against each candidate value, and against all beyond it.
    """
    level = -np.log(alpha)
    kept, rejected = near, far
    for closer in range(_CLOSER):
        grid = np.linspace(kept, rejected, _POINTS)
        hits = np.flatnonzero(evidence(grid) >= level)
        if not closer and not len(hits):
            return far
        first = int(hits[0]) if len(hits) else _POINTS - 1
        if not first:
            return kept
        kept, rejected = float(grid[first - 1]), float(grid[first])
    return rejected


def mean_interval(moments: Moments, low: float, high: float, alpha: float = ALPHA) -> Interval:
    """A confidence sequence for the mean of numbers in [low, high]; `high` may be infinite.

    m is rejected from below when there is evidence that x − m has a mean above 0, whatever the
    variance: as narrow as the numbers are quiet (empirical Bernstein). It holds for numbers whose
    mean given the past is the same, at all times at once with probability 1 − alpha.

    >>> [round(x, 3) for x in mean_interval(Moments(10_000, 400.0, 400.0), 0.0, 1.0)]
    [0.033, 0.048]

    Source: Howard, Ramdas, McAuliffe & Sekhon 2021 (arXiv 1810.08240); Waudby-Smith & Ramdas 2024,
    Estimating means of bounded random variables by betting (2010.09686).
    """
    if not moments.n:
        return Interval(low, high)
    unit = high - low if np.isfinite(high) else max(1.0, abs(low))
    scaled = moments.about(low)
    scaled = Moments(scaled.n, scaled.s / unit, scaled.s2 / unit**2)
    ends = [_lower_end(scaled, 0.0, alpha / 2), np.inf]
    if np.isfinite(high):
        mirrored = Moments(scaled.n, scaled.n - scaled.s, scaled.about(1.0).s2)
        ends[1] = 1.0 - _lower_end(mirrored, 0.0, alpha / 2)
    return Interval(low + unit * ends[0], low + unit * ends[1])


def _lower_end(moments: Moments, least: float, alpha: float) -> float:
    def evidence(m: FloatArray) -> FloatArray:
        return log_evidence(moments.about(m), m - least)

    return furthest(evidence, max(float(moments.s) / moments.n, least), least, alpha)
