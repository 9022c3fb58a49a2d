"""A posterior without the clock: right where the plain one is wrong, else much like it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from croupier.core.arms.deconfounded import Effects, deconfound
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import Sums
from croupier.core.arms.table import ArmTable
from croupier.core.policies.thompson import Thompson
from croupier.core.reward import MICRO
from croupier.core.worlds.batches import play

HOUR = 3_600_000
TRIALS = arrays(np.float64, (4, 3), elements=st.integers(0, 500).map(float))


@given(n=TRIALS)
def test_no_arm_is_known_from_more_trials_than_it_had(n: FloatArray) -> None:
    trials = Effects.fit(n, n / 2).trials
    assert np.all(trials <= n.sum(axis=0) + 1e-9)
    assert np.all(trials >= -1e-9)


@given(shares=st.tuples(*[st.integers(1, 50)] * 3), size=st.integers(1, 9))
def test_shares_that_stand_still_lose_nothing(shares: tuple[int, ...], size: int) -> None:
    n = np.outer(np.arange(1.0, size + 1), np.array(shares, dtype=np.float64))
    r = n * np.array([0.1, 0.2, 0.3])
    found = deconfound(np.array([n, r, r]), 0.0, 1.0)
    np.testing.assert_allclose(found[0], n.sum(axis=0))
    np.testing.assert_allclose(found[1], r.sum(axis=0), rtol=1e-6)


@given(
    n=TRIALS.filter(lambda n: bool(np.all((n > 0).sum(axis=1) == 3))),
    move=arrays(np.float64, (4, 1), elements=st.floats(0, 0.5)),
)
def test_a_base_rate_that_moves_does_not_move_a_contrast(n: FloatArray, move: FloatArray) -> None:
    still, moved = (
        Effects.fit(n, n * (base + np.array([0.1, 0.2, 0.4]))).mean for base in (0, move)
    )
    np.testing.assert_allclose(np.diff(moved), np.diff(still), atol=1e-4)
    np.testing.assert_allclose(np.diff(moved), [0.1, 0.2], atol=1e-4)


@given(n=TRIALS, order=st.permutations(range(3)))
def test_renaming_arms_renames_what_is_known(n: FloatArray, order: list[int]) -> None:
    r = n * np.array([0.1, 0.2, 0.4])
    here, there = Effects.fit(n, r), Effects.fit(n[:, order], r[:, order])
    np.testing.assert_allclose(here.mean[order], there.mean, atol=1e-6)
    np.testing.assert_allclose(here.trials[order], there.trials, atol=1e-6)


def test_two_arms_are_known_as_far_as_their_difference_is() -> None:
    n = np.array([[990.0, 10.0], [10.0, 990.0], [500.0, 500.0]])
    trials = Effects.fit(n, n / 10).trials
    together = (n.prod(axis=1) / n.sum(axis=1)).sum()
    assert (1.0 / trials).sum() == pytest.approx(1.0 / together)


def lost(base: FloatArray, *, deconfounded: bool) -> float:
    rates = np.stack([base, 1.1 * base], axis=1)
    dice = np.random.default_rng(4)
    cells = play(rates, 1_000, 150, dice, deconfounded=deconfounded)
    return float(((rates.max(axis=1, keepdims=True) - rates) * cells.n).sum(axis=(1, 2)).mean())


def test_it_is_right_where_the_base_rate_jumps_and_little_worse_where_it_does_not() -> None:
    """Of 150 runs; a ratio of regrets has a standard error near 0.06 here."""
    jumping, still = np.where(np.arange(60) // 10 % 2, 0.08, 0.02), np.full(60, 0.05)
    assert lost(jumping, deconfounded=True) < 0.8 * lost(jumping, deconfounded=False)
    assert lost(still, deconfounded=True) < 1.25 * lost(still, deconfounded=False)


def test_thompson_reads_effects_within_periods() -> None:
    """Two arms that earn the same; the second was shown in the better hour."""
    table = ArmTable()
    for period, arm, n, r in ((0, 0, 900, 18), (0, 1, 100, 2), (1, 0, 100, 10), (1, 1, 900, 90)):
        table.add(period * HOUR, arm, Sums(n=n, r=r * MICRO, r2=r * MICRO**2))
    plain, fair = (
        Thompson(deconfounded=flag).reading(table, (0, 1, 7), 2 * HOUR, HOUR, (0.0, 1.0))
        for flag in (False, True)
    )
    assert plain.r[1] / plain.n[1] > 3 * plain.r[0] / plain.n[0]
    assert fair.n == pytest.approx((360.0, 360.0, 0.0))
    assert fair.r == pytest.approx((21.6, 21.6, 0.0), rel=1e-5)
    halved = Thompson(deconfounded=True, half_life=HOUR).reading(
        table, (0, 1), 2 * HOUR, HOUR, (0.0, 1.0)
    )
    assert sum(1 / n for n in halved.n) == pytest.approx(1 / (0.5 * 90 + 90))
