"""Surrogates: known weights are found, and an arm that they do not fit."""

import numpy as np
import pytest
from numpy.typing import NDArray

from croupier.core.arms.gaussian import NormalInverseGamma
from croupier.core.arms.sums import Reading
from croupier.core.estimate.surrogate import Surrogate, drifts

WEIGHTS = np.array([0.2, 1.1])
Floats = NDArray[np.float64]


def matured(
    dice: np.random.Generator, trials: int, hidden: float = 0.0
) -> tuple[Floats, Floats, list[str]]:
    """Clicks and carts, and what they are worth later; arm b is worth `hidden` more."""
    arms = dice.integers(0, 2, trials)
    clicks = dice.random(trials) < 0.2 + 0.1 * arms
    carts = clicks & (dice.random(trials) < 0.3)
    signals = np.stack([clicks, carts], axis=1).astype(np.float64)
    late = 0.05 + signals @ WEIGHTS + hidden * arms + dice.normal(0.0, 0.3 + clicks)
    return signals, late, ["ab"[each] for each in arms]


def test_errors_are_as_large_as_weights_scatter() -> None:
    """A standard deviation of 150 fits has a relative error of 6 %."""
    dice = np.random.default_rng(1)
    fits = [Surrogate.fit(*matured(dice, 1_000)[:2]) for _ in range(150)]
    found = np.array([one.weights for one in fits])
    np.testing.assert_allclose(found.mean(axis=0), WEIGHTS, atol=0.04)
    told = np.array([one.errors for one in fits]).mean(axis=0)
    np.testing.assert_allclose(found.std(axis=0), told, rtol=0.25)


def test_an_arm_that_earns_in_hidden_ways_is_found_and_no_other() -> None:
    signals, late, arms = matured(np.random.default_rng(2), 4_000)
    sound = drifts(signals, late, WEIGHTS, arms)
    assert max(abs(each.z) for each in sound.values()) < 3
    signals, late, arms = matured(np.random.default_rng(2), 4_000, hidden=0.2)
    assert drifts(signals, late, WEIGHTS, arms)["b"].z > 3


def test_a_signal_that_never_varies_is_worth_nothing() -> None:
    found = Surrogate.fit(np.ones((10, 1)), np.arange(10.0))
    assert (found.weights.tolist(), found.base) == ([0.0], 4.5)


def test_too_few_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="2 signals need at least 4 matured trials"):
        Surrogate.fit(np.ones((3, 2)), np.ones(3))


def covered(runs: int, matured_trials: int) -> Floats:
    """How often 95 % intervals of three arms' late means hold them: as learned, and widened.

    Two signals of 0 or 1; the late metric is 0.3·x₁ + x₂, and scatters by 0.5. Each arm has 4,000
    trials of its own. The level that is common to all arms is left out.
    """
    dice, weights = np.random.default_rng(1), np.array([0.3, 1.0])
    rates = np.array([[0.25, 0.05], [0.35, 0.02], [0.15, 0.09]])
    seen = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    parts = np.prod(np.where(seen, rates[:, None], 1.0 - rates[:, None]), axis=-1)
    held = np.zeros(2)
    for _ in range(runs):
        x = (dice.random((matured_trials, 2)) < [0.2, 0.05]).astype(np.float64)
        found = Surrogate.fit(x, x @ weights + dice.normal(0.1, 0.5, matured_trials))
        counts, worth = dice.multinomial(4_000, parts).astype(np.float64), seen @ found.weights
        sums = ((counts @ each).tolist() for each in (worth, worth**2))
        plain = NormalInverseGamma.read(Reading((4_000.0,) * 3, *map(tuple, sums)), 0.0, 1.3)
        wide = plain.widened(found.doubt(counts @ seen / 4_000))
        truth = (rates - found.middle) @ weights
        for place, belief in enumerate((plain, wide)):
            low, high = (belief.at(np.array([0.025, 0.975])) - found.middle @ found.weights).T
            held[place] += ((low <= truth) & (truth <= high)).mean()
    return held / runs


def test_a_posterior_that_doubts_its_weights_holds_the_late_mean_as_often_as_it_says() -> None:
    """The standard error is at most √(0.05·0.95 / 3,000) = 0.004 (arms of a run go together)."""
    plain, wide = covered(3_000, 400)
    assert 0.94 <= wide <= 0.96
    assert plain < 0.8
