"""Slow arms through the real ring: what waits for its window, and what is counted early."""

import numpy as np
import pytest

from croupier.core.duration import DAY
from tests.ring.slow_arms import Slow, SlowArms, slow_experiment

FIELD: tuple[Slow, Slow] = ((0.04, 1e-6), (0.05, 4.0))
"""FIELD §4.2: 4 % at once against 5 % after 4 days on average, within 14."""
BOTH_SLOW: tuple[Slow, Slow] = ((0.04, 1.0), (0.052, 6.0))


@pytest.mark.long
@pytest.mark.parametrize("arms", [FIELD, BOTH_SLOW])
def test_the_better_arm_has_the_last_week_although_its_outcomes_are_slow(
    arms: tuple[Slow, Slow],
) -> None:
    """1,000 visits a day for 30 days; the mean of four runs.

    By `play_slow`, single runs scatter by 0.019 and 0.010 around 0.984 and 0.988, skewed: the mean
    of four is below 0.95 in 1.4 % and in 0.4 % of all choices of seeds.
    """
    shares = []
    for seed in range(4):
        town = SlowArms(slow_experiment(14 * DAY, corrected=True), arms, seed)
        town.play(0, 30 * DAY, 30_000)
        shares.append(town.share(23 * DAY))
    assert np.mean(shares) >= 0.95


def test_it_learns_early_and_the_same_after_a_crash() -> None:
    """A window of two days: on the third, open trials are in the posterior and in no sums."""
    spec = slow_experiment(2 * DAY, corrected=True)
    town = SlowArms(spec, ((0.2, 0.2), (0.3, 0.5)), seed=1)
    town.play(0, 3 * DAY, 1_500)
    town.turn(3 * DAY)
    sums = town.backends.states.load().sums
    over = [
        sum(each.n for key, each in sums.items() if key.arm == arm and key.stratum == "policy")
        for arm in (0, 1)
    ]
    known = town.snapshot.posterior.tried().n
    assert (known > np.array(over) + 50).all()
    assert len(town.ring.join.stage.open) + sum(over) == 1_500
    before = town.snapshot
    town.begin()
    town.turn(3 * DAY)
    assert town.snapshot == before  # else it would have published another
