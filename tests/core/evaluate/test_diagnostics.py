"""When an evaluation refuses, and when it does not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from croupier.core.evaluate.diagnostics import Diagnostics
from croupier.core.evaluate.ratio_check import ratio_check, welch
from croupier.core.evaluate.rounds import Rounds, columns
from croupier.core.evaluate.shares import Shares
from croupier.core.evaluate.tally import Tally
from croupier.core.evaluate.targets import Logged

GOOD = Diagnostics(
    rounds=1000, effective=400, largest_weight=9, mean_weight=1.02, deviation=1.1, unsupported=0.0
)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, None),
        ({"rounds": 0}, "no rounds"),
        ({"effective": 49.0}, "effective sample size 49 of 1,000"),
        ({"largest_weight": 10_001.0}, "one round weighs 10,001,"),
        ({"largest_weight": 10_000.1}, "one round weighs 10,000.1,"),
        ({"largest_weight": float("inf")}, "one round weighs inf,"),
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


def test_shares_that_change_are_a_mismatch_to_the_plain_check_and_none_to_the_other() -> None:
    """False-alarm rate 1e-6 for what is right; counts of the other arm are an alarm."""
    dice = np.random.default_rng(8)
    p = np.where((np.arange(4000) < 1000)[:, None], [0.9, 0.1], [0.2, 0.8])
    arm = (dice.random(4000) >= p[:, 0]).astype(np.int64)
    for shown, alarm in ((arm, False), (1 - arm, True)):
        found = shares_of(shown, p[np.arange(4000), shown]).check({"": 0}, ["x", "y"])
        assert found.alarm == alarm
        assert ratio_check(np.bincount(shown).astype(np.float64), np.array([0.5, 0.5])).p < 1e-6


def shares_of(arm: NDArray[np.int64], propensity: NDArray[np.float64]) -> Shares:
    zero, nothing = np.zeros(len(arm), dtype=np.int64), np.zeros(len(arm))
    shares = Shares()
    for half in (slice(0, len(arm) // 2), slice(len(arm) // 2, None)):
        shares.add(Logged(arm[half], zero[half], zero[half], nothing[half], propensity[half]))
    return shares


def test_arms_that_are_not_offered_to_all_are_held_against_those_that_they_were() -> None:
    """Arm 2 is offered to every fourth round and drawn there; without that it would be an alarm."""
    dice, rounds = np.random.default_rng(3), 8_000
    offered = np.tile([0.5, 0.5, np.nan], (rounds, 1))
    offered[::4] = [0.25, 0.25, 0.5]
    draws = dice.random(rounds)[:, None]
    arm = (draws >= np.nan_to_num(offered).cumsum(axis=1)).sum(axis=1)
    zero, nothing = np.zeros(rounds, dtype=np.int64), np.zeros(rounds)
    told = Logged(arm, zero, zero, nothing, offered[np.arange(rounds), arm], offered)
    for logged, alarm in ((told, False), (told._replace(offered=None), True)):
        shares = Shares()
        shares.add(logged)
        assert shares.check({"": 0}, ["x", "y", "z"]).alarm == alarm


def test_an_arm_that_could_not_be_shown_was_shown() -> None:
    assert ratio_check(np.array([9.0, 1.0]), np.array([1.0, 0.0])).p == 0.0
    assert ratio_check(np.array([10.0, 0.0]), np.array([1.0, 0.0])).p == 1.0


def test_means_without_spread() -> None:
    n, nothing = np.array([5.0, 5.0]), np.zeros(2)
    assert welch(n, np.array([1.0, 1.0]), nothing) == (0.0, 1.0)
    assert welch(n, np.array([1.0, 2.0]), nothing) == (np.inf, 0.0)
