"""When an evaluation refuses, and when it does not."""

import numpy as np
import pytest

from croupier.core.evaluate.diagnostics import Diagnostics
from croupier.core.evaluate.ratio_check import propensity_check, ratio_check, welch
from croupier.core.evaluate.rounds import Rounds, columns
from croupier.core.evaluate.tally import Tally

GOOD = Diagnostics(
    rounds=1000, effective=400, largest_weight=9, mean_weight=1.02, deviation=1.1, unsupported=0.0
)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, None),
        ({"rounds": 0}, "no rounds"),
        ({"effective": 49.0}, "effective sample size 49 of 1,000"),
        ({"largest_weight": 10_001.0}, "one round weighs 10,001"),
        ({"deviation": -4.1, "mean_weight": 0.8}, "0.8 where it should be 1, 4.1 standard errors"),
        ({"unsupported": 0.02}, "2.0% of the target's probability"),
    ],
)
def test_each_reason_is_told_with_its_number(changes: dict[str, float], told: str | None) -> None:
    from msgspec.structs import replace

    reasons = list(replace(GOOD, **changes).refusals())
    assert len(reasons) == (told is not None)
    assert told is None or told in reasons[0]


def test_wrong_propensities_are_found() -> None:
    """Arms drawn 70:30, logged as 50:50: the mean weight of "always the first" is 1.4."""
    arm = np.arange(1000) % 10 >= 7
    target = (~arm).astype(np.float64)
    tally = Tally.of(columns(Rounds(np.ones(1000), np.full(1000, 0.5), target)))
    found = Diagnostics.of(tally)
    assert found.mean_weight == 1.4
    assert any("standard errors away" in reason for reason in found.refusals())


def test_the_largest_weight_must_not_be_a_surprise() -> None:
    rounds = Rounds(np.zeros(2), np.array([0.5, 0.5]), np.array([0.5, 0.5]), spread=np.ones(2))
    assert Diagnostics.of(Tally.of(columns(rounds))).deviation == 0.0


# --- sample ratios --------------------------------------------------------------------------------


def test_with_constant_propensities_the_two_checks_are_one() -> None:
    shares, counts = np.array([0.5, 0.3, 0.2]), np.array([520.0, 290.0, 190.0])
    plain = ratio_check(counts, shares)
    told = propensity_check(counts, 1000 * shares, 1000 * np.outer(shares, shares))
    assert told == pytest.approx(plain, rel=1e-12)
    assert plain.statistic == pytest.approx(20**2 / 500 + 10**2 / 300 + 10**2 / 200)


def test_changing_propensities_are_no_mismatch() -> None:
    """False-alarm rate 1e-6; the plain check, blind to the change, would shout."""
    dice = np.random.default_rng(8)
    p = np.where((np.arange(4000) < 1000)[:, None], [0.9, 0.1], [0.2, 0.8])
    first = dice.random(4000) < p[:, 0]
    counts = np.array([first.sum(), (~first).sum()], dtype=np.float64)
    assert propensity_check(counts, p.sum(axis=0), p.T @ p).p > 1e-6
    assert propensity_check(counts[::-1], p.sum(axis=0), p.T @ p).p < 1e-6
    assert ratio_check(counts, np.array([0.5, 0.5])).p < 1e-6


def test_an_arm_that_could_not_be_shown_was_shown() -> None:
    assert ratio_check(np.array([9.0, 1.0]), np.array([1.0, 0.0])).p == 0.0
    assert ratio_check(np.array([10.0, 0.0]), np.array([1.0, 0.0])).p == 1.0


def test_means_without_spread() -> None:
    n, nothing = np.array([5.0, 5.0]), np.zeros(2)
    assert welch(n, np.array([1.0, 1.0]), nothing) == (0.0, 1.0)
    assert welch(n, np.array([1.0, 2.0]), nothing) == (np.inf, 0.0)
