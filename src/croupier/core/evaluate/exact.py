"""Sums of floats without rounding: the same in every order and split."""

import numpy as np

from croupier.core.arms.panels import FloatArray

SCALE = 1074
"""Every finite float64 is a whole number of 2⁻¹⁰⁷⁴."""

_CHUNK = 1 << 25
_HALF = 27


def exact_sum(values: FloatArray) -> int:
    """Σ values, counted in units of 2⁻¹⁰⁷⁴; integers add exactly, so parts may be merged.

    A number is fraction · 2^exponent with 53 bits: for each exponent the upper 26 and the lower 27
    bits are summed apart, which float64 does without rounding for up to 2²⁵ numbers.

    Raises:
        ValueError: if a number is not finite.

    >>> as_float(exact_sum(np.array([1e16, 1.0, -1e16]))), float(np.sum([1e16, 1.0, -1e16]))
    (1.0, 0.0)
    """
    return sum(_chunk(values[at : at + _CHUNK]) for at in range(0, len(values), _CHUNK))


def as_float(total: int) -> float:
    """The float64 nearest to an exact sum."""
    return total / (1 << SCALE)


def _chunk(values: FloatArray) -> int:
    if not np.isfinite(values).all():
        raise ValueError("a number to be summed is not finite")
    fraction, exponent = np.frexp(values)
    lowest = int(exponent.min())
    whole = np.ldexp(fraction, 53)
    upper = np.floor(whole / (1 << _HALF))
    place = exponent - lowest
    uppers = np.bincount(place, weights=upper)
    lowers = np.bincount(place, weights=whole - upper * (1 << _HALF))
    total = 0
    for shift in np.flatnonzero((uppers != 0) | (lowers != 0)).tolist():
        total += ((int(uppers[shift]) << _HALF) + int(lowers[shift])) << shift
    up = lowest - 53 + SCALE
    return total << up if up >= 0 else total >> -up
