"""Delays: a slow arm that is better is found, and an open trial is not a failure."""

import numpy as np

from croupier.core.estimate.maturing import counted, exposure, seen_by
from croupier.core.worlds.slow import Counting, delays, play_slow

LAWS = np.stack([delays(0.0, 14), delays(4.0, 14)])


def last_week(counting: Counting) -> float:
    """The better, slower arm's share in the last of 30 days: 4 % at once against 5 %."""
    shares = play_slow(np.array([0.04, 0.05]), LAWS, 30, 1_000, counting, seed=1)
    return float(shares[:, -7:, 1].mean())


def test_a_slow_arm_that_is_better_gets_the_traffic() -> None:
    """FIELD §4.2. Runs scatter by 0.05, so the mean of 300 by 0.003."""
    assert last_week("as exposed") > 0.95
    assert last_week("when over") > 0.93
    assert last_week("all at once") < 0.7


def test_delays_are_found_although_young_cohorts_hide_the_slow_ones() -> None:
    dice, ages = np.random.default_rng(1), np.arange(40, 0, -1)
    comes = dice.multinomial(np.arange(100, 4_100, 100), LAWS[1])  # most trials are young
    seen = np.where(ages[:, None] > np.arange(14), comes, 0).astype(np.float64)
    expected = np.cumsum(LAWS[1]).tolist()
    np.testing.assert_allclose(seen_by(seen, ages), expected, atol=0.02)


def test_what_is_over_counts_as_it_is() -> None:
    trials, ages = np.array([300.0, 200.0]), np.array([20, 14])
    outcomes = np.zeros((2, 14))
    outcomes[:, 3] = [30.0, 10.0]
    seen = seen_by(outcomes, ages)
    assert exposure(trials, seen, ages) == 500.0
    assert counted(outcomes, seen, ages) == 40.0


def test_before_the_first_window_is_over_nothing_is_a_trial() -> None:
    trials, ages = np.array([300.0, 200.0]), np.array([13, 2])
    outcomes = np.zeros((2, 14))
    outcomes[0, 3] = 30.0
    seen = seen_by(outcomes, ages)
    assert exposure(trials, seen, ages) == 0.0
    assert counted(outcomes, seen, ages) == 0.0
