"""Dispersion: found where one visitor makes several trials, and only there."""

import numpy as np

from croupier.core.arms.dispersion import dispersion
from croupier.core.arms.panels import FloatArray

HOURS, UNITS, TIMES = 100, 100, 10


def returning(dice: np.random.Generator, alike: float) -> tuple[FloatArray, FloatArray]:
    """Visitors with ten trials of one arm within an hour; `alike` is their correlation."""
    n, r = np.zeros((2, HOURS, 2))
    base = np.linspace(0.05, 0.3, HOURS)
    for hour in range(HOURS):
        scale = 1.0 / alike - 1.0
        rates = dice.beta(base[hour] * scale, (1.0 - base[hour]) * scale, UNITS)
        arm, clicks = dice.integers(0, 2, UNITS), dice.binomial(TIMES, rates)
        n[hour] = TIMES * np.bincount(arm, minlength=2)
        r[hour] = np.bincount(arm, clicks, minlength=2)
    return n, r


def test_visitors_who_are_alike_within_are_found() -> None:
    """The design effect is 1 + (10 − 1)·0.1 = 1.9; a base rate that rises is none."""
    n, r = returning(np.random.default_rng(1), 0.1)
    found = dispersion(n, r, r)
    assert 1.4 < found.phi < 2.5
    assert found.factor == found.phi


def test_trials_that_are_independent_are_left_alone() -> None:
    """Widened 1 time in 100: 5 of 60 or more, once in 300 seeds; this one is fixed."""
    dice = np.random.default_rng(2)
    found = [dispersion(n, r, r) for n, r in (returning(dice, 1e-6) for _ in range(60))]
    assert sum(one.factor > 1.0 for one in found) < 5
    assert abs(np.mean([one.phi for one in found]) - 1.0) < 0.1


def test_what_cannot_tell_does_not_widen() -> None:
    none = np.zeros((0, 2))
    one = np.array([[10.0, 10.0]])
    assert dispersion(none, none, none).factor == 1.0
    assert dispersion(one, one / 2, one / 2).factor == 1.0
    assert dispersion(one.repeat(3, 0), one.repeat(3, 0), one.repeat(3, 0)).factor == 1.0
