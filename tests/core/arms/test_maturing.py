"""Delays: a slow arm that is better is found, and an open trial is not a failure."""

import numpy as np
from msgspec.structs import replace

from croupier.core.arms.maturing import (
    BUCKETS,
    DELAY,
    LEAST,
    Maturing,
    counted,
    delay_stratum,
    exposure,
    seen_by,
)
from croupier.core.arms.sums import Reading
from croupier.core.declarations import Declarations
from croupier.core.duration import DAY
from croupier.core.experiment import Experiment
from croupier.core.learn import absorb
from croupier.core.policies.base import Allocation
from croupier.core.records import TimedObservation
from croupier.core.reward import Reward, Term
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


OVER = Reading(n=(1_000.0, 1_000.0), r=(40.0, 40.0), r2=(40.0, 40.0))
WINDOW = 32 * DAY


def maturing(over: int) -> Maturing:
    """So many outcomes of each arm that are over, half of them in the last part of the window."""
    one = Maturing()
    for arm in (0, 1):
        for delay in (0, WINDOW - 1):
            one.add(0, arm, delay_stratum(delay, WINDOW), over // 2)
    one.window = WINDOW
    return one


def test_open_trials_count_by_the_part_of_their_outcomes_that_had_time_to_come() -> None:
    one, plain = maturing(2 * LEAST), Allocation()
    one.open = [(0, 0, 4, 200, {0: 5}), (7, 0, 4, 99, {0: 9})]
    read = one.beside(OVER, (0, 1), 10 * DAY, plain.age_weight)
    # Half of all outcomes come at once; the open cohort says nothing of the other half.
    assert read.n == (1_100.0, 1_000.0)
    assert read.r == read.r2 == (45.0, 40.0)
    discounted = one.beside(OVER, (0, 1), DAY, Allocation(half_life=4 * DAY).age_weight)
    assert discounted.n == (1_050.0, 1_000.0)  # four parts of a day old
    assert discounted.r == (42.5, 40.0)


def test_before_enough_outcomes_are_over_only_what_is_past_its_window_counts() -> None:
    one = maturing(LEAST - 4)
    one.open = [(0, 0, 4, 200, {0: 5}), (0, 0, BUCKETS, 100, {0: 1, 31: 1})]
    read = one.beside(OVER, (0, 1), 10 * DAY, Allocation().age_weight)
    assert read.n == (1_100.0, 1_000.0)
    assert read.r == (42.0, 40.0)


def test_with_nothing_open_a_reading_stays_what_it_was() -> None:
    assert maturing(2 * LEAST).beside(OVER, (0, 1), 0, Allocation().age_weight) is OVER


def test_a_refilled_delay_is_a_part_of_the_window_that_it_was_valued_under() -> None:
    """Its story was declared with an hour, and is a trial of the reward with two."""
    book = Declarations()
    hour = 3_600_000
    spec = Experiment("b", ("x", "y"), "x", Reward({"click": Term(1.0)}), window=hour)
    for at, window in enumerate((hour, 2 * hour)):
        for record in [*book.changes(replace(spec, window=window), at)]:
            book.apply(record)
    refilled = TimedObservation(
        id=bytes(16), experiment="b", arm=0, slot=0, unit=bytes(16), declaration=1,
        reward_version=2, reason="policy", propensity=0.5, reward=1, at=0, delay=hour,
    )  # fmt: skip
    for version, window in ((1, hour), (2, 2 * hour)):
        learned = absorb([replace(refilled, reward_version=version)], book)
        strata = {key.stratum for key in learned.sums if key.stratum.startswith(DELAY)}
        assert strata == {delay_stratum(hour, window)}
