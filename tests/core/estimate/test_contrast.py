"""Lifts: arithmetic, and simulations with stated false-alarm rates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.estimate.adaptive import adaptive_mean
from croupier.core.estimate.cells import Cells
from croupier.core.estimate.contrast import Contrast
from croupier.core.estimate.draws import Draws
from croupier.core.estimate.whole_ratio import pooled_ratio, weighted_ratio
from croupier.core.worlds.batches import merged, play, ucb1

COUNTS = arrays(np.float64, (5,), elements=st.integers(0, 400).map(float))
PARTS = arrays(np.float64, (5,), elements=st.integers(0, 10).map(lambda k: k / 10))


def clicks(n: FloatArray, share: FloatArray) -> Cells:
    """Trials of which such a part was clicked, shown with certainty."""
    r = np.floor(n * share)
    return Cells(n, r, r, n, n, r, r, r)


@given(n1=COUNTS, n0=COUNTS, p1=PARTS, p0=PARTS)
def test_an_arm_and_its_rival_say_the_opposite(
    n1: FloatArray, n0: FloatArray, p1: FloatArray, p0: FloatArray
) -> None:
    arm, other = clicks(n1, p1), clicks(n0, p0)
    here, there = Contrast.of(arm, other).total(), Contrast.of(other, arm).total()
    one, two = here.difference(), there.difference()
    np.testing.assert_allclose([one.value, one.low, one.high], [-two.value, -two.high, -two.low])
    ratio, inverse = here.ratio(), there.ratio()
    if np.isfinite(ratio.value):
        np.testing.assert_allclose(ratio.value * inverse.value, 1.0)
        np.testing.assert_allclose(ratio.low * inverse.high, 1.0)


@given(n1=COUNTS, n0=COUNTS, p1=PARTS, p0=PARTS, order=st.permutations(range(5)))
def test_the_order_of_periods_does_not_matter(
    n1: FloatArray, n0: FloatArray, p1: FloatArray, p0: FloatArray, order: list[int]
) -> None:
    one = Contrast.of(clicks(n1, p1), clicks(n0, p0)).total()
    two = Contrast.of(clicks(n1[order], p1[order]), clicks(n0[order], p0[order])).total()
    np.testing.assert_allclose(one, two, atol=1e-9)


@given(n1=COUNTS, n0=COUNTS, p1=PARTS, p0=PARTS)
def test_a_period_that_shows_one_of_them_says_nothing(
    n1: FloatArray, n0: FloatArray, p1: FloatArray, p0: FloatArray
) -> None:
    """So an arm that joins late is compared with what was shown beside it."""
    both = (n1 > 0) & (n0 > 0)
    arm, other = clicks(n1, p1), clicks(n0, p0)
    alone = Contrast.of(*(clicks(each.n * both, p) for each, p in ((arm, p1), (other, p0))))
    whole = Contrast.of(arm, other)
    np.testing.assert_allclose(whole.total().gained, alone.total().gained)
    np.testing.assert_allclose(whole.total().size, alone.total().size)


def test_one_period_of_equal_shares_is_the_textbook() -> None:
    """10 % against 8 % of 1,000 each: 0.02 ± 1.96·√((0.09 + 0.0736)·1000/999/1000)."""
    n = np.array([1_000.0])
    found = Contrast.of(clicks(n, np.array([0.1])), clicks(n, np.array([0.08]))).total()
    assert float(found.difference().value) == pytest.approx(0.02)
    reach = 1.959964 * np.sqrt((0.09 + 0.0736) / 999)
    assert float(found.difference().high) == pytest.approx(0.02 + reach)
    assert float(found.ratio().value) == pytest.approx(1.25)


def test_a_base_rate_that_rises_does_not_move_the_ratio() -> None:
    """True ratio 1.05; pooled it reads 2. The median of 400 runs has a standard error of 0.006,
    so this fails by chance once in a million seeds; the seed is fixed."""
    base = np.linspace(0.02, 0.10, 50)
    rates = np.stack([base, 1.05 * base], axis=1)
    cells = play(rates, 2_000, 400, np.random.default_rng(1))
    pair = cells.arm(1), cells.arm(0)
    ratio = Contrast.of(*pair).total().ratio()
    assert float(np.median(ratio.value)) == pytest.approx(1.05, abs=0.03)
    assert float(np.nanmedian(weighted_ratio(*pair))) == pytest.approx(1.05, abs=0.04)
    assert float(np.nanmedian(pooled_ratio(*pair))) > 1.5
    covered = np.mean((ratio.low < 1.05) & (ratio.high > 1.05))
    assert 0.90 < covered < 0.99


WEIGHTS = arrays(np.float64, (5,), elements=st.integers(2, 100).map(float))
"""Of two arms, which share what there is."""


def drawn(n: FloatArray, r: FloatArray, w: FloatArray) -> Cells:
    """Trials of which r succeeded, all with the weight w in a period."""
    return Cells(n, r, r, w * n, w * w * n, w * r, w * w * r, w * w * r)


@given(n1=COUNTS, n0=COUNTS, p1=PARTS, p0=PARTS, w1=WEIGHTS, w0=WEIGHTS)
def test_propensities_that_stand_still_in_a_period_change_nothing(
    n1: FloatArray, n0: FloatArray, p1: FloatArray, p0: FloatArray, w1: FloatArray, w0: FloatArray
) -> None:
    pair = drawn(n1, np.floor(n1 * p1), w1), drawn(n0, np.floor(n0 * p0), w0)
    weighted, plain = Contrast.of(*pair, propensities=True), Contrast.of(*pair)
    np.testing.assert_allclose(weighted, plain, rtol=1e-12, atol=1e-9)


def test_shares_and_base_rate_that_move_within_a_period_do_not_move_the_ratio() -> None:
    """Half an hour at 2 % and one at 10 %, the better arm shown in 1 of 10, then in 9 of 10."""
    n1, n0, base = np.array([[1e3], [9e3]]), np.array([[9e3], [1e3]]), np.array([[0.02], [0.1]])
    halves = drawn(n1, n1 * base * 1.05, 1e4 / n1), drawn(n0, n0 * base, 1e4 / n0)
    arm, other = (Cells(*(part.sum(axis=0) for part in each)) for each in halves)
    assert float(Contrast.of(arm, other).total().ratio().value) > 2.0
    found = Contrast.of(arm, other, propensities=True).total()
    assert float(found.ratio().value) == pytest.approx(1.05)
    assert float(found.difference().value) == pytest.approx(0.003)


def test_where_shares_move_a_period_counts_by_the_shares_before() -> None:
    """Its own shares know of its luck; while they stand still they were known before."""
    n, r = np.array([10.0, 90.0]), np.array([1.0, 9.0])
    steady, other = drawn(n, r, 100 / n), drawn(n[::-1], r[::-1], 100 / n[::-1])
    moved = steady._replace(w2=2 * steady.w2)
    own, before = (Contrast.of(each, other, propensities=True).size for each in (steady, moved))
    assert own.tolist() == [15.0, 15.0]
    np.testing.assert_allclose(before, [15.0, 15.0])
    late = moved._replace(n=np.array([10.0, 40.0]), w=np.array([100.0, 80.0]))
    sizes = Contrast.of(late, other, propensities=True).size
    np.testing.assert_allclose(sizes, [15.0, 50 * 0.15])  # not √(40 · 10)/2


def test_refreshes_within_a_period_do_not_bias_the_ratio() -> None:
    """Ten an hour, of 100 visitors: the median of 400 runs has a standard error of 0.008."""
    rates = np.tile(np.linspace(0.02, 0.1, 10), 25)[:, None] * np.array([1.0, 1.1])
    cells = merged(play(rates, 100, 400, np.random.default_rng(1)), 10)
    pair = cells.arm(1), cells.arm(0)
    plain = Contrast.of(*pair).total().ratio()
    ratio = Contrast.of(*pair, propensities=True).total().ratio()
    assert float(np.median(plain.value)) > 1.12
    assert float(np.median(ratio.value)) == pytest.approx(1.1, abs=0.03)
    assert np.mean((ratio.low < 1.1) & (ratio.high > 1.1)) > 0.92


def test_rewards_that_are_all_alike_leave_everything_open_whatever_they_are() -> None:
    rows: dict[StateKey, Sums] = {}
    for period, trials in enumerate((7, 10, 13, 16)):
        for arm, reward in ((0, 100_000), (1, 300_000)):
            shares = [0.3 + 0.1 * (trial % 2) for trial in range(trials)]
            several = sum((Sums.of(reward, share) for share in shares), Sums())
            rows[StateKey("b", arm, 0, 1, "policy", period)] = several
    cells = Cells.of(rows, [("policy", 0), ("policy", 1)])
    for propensities in (False, True):
        pair = cells.arm(1), cells.arm(0)
        found = Contrast.of(*pair, propensities=propensities).total().difference()
        assert (float(found.low), float(found.high)) == (-np.inf, np.inf)
        assert found.value == pytest.approx(0.2)
        ratio = Contrast.of(*pair, propensities=propensities).total().ratio()
        assert (float(ratio.low), float(ratio.high)) == (0.0, np.inf)


def test_periods_of_one_trial_scatter_as_they_do_together() -> None:
    """200 hours of a trial an arm: as sure as 200 trials are, and not as sure as can be."""
    n, dice = np.ones(200), np.random.default_rng(4)
    arms = [Cells(n, r, r, n, n, r, r, r) for r in (dice.random((2, 200)) < 0.4).astype(float)]
    found = Contrast.of(*arms, propensities=True).total().difference()
    reach = 1.96 * np.sqrt(sum(float(np.var(each.r, ddof=1)) / 200 for each in arms))
    assert float(found.high - found.value) == pytest.approx(reach, rel=1e-3)


def test_an_arm_that_never_failed_is_no_surer_than_both_are() -> None:
    few, many = np.array([3.0]), np.array([1_000.0])
    arm = Cells(few, few, few, few, few, few, few, few)
    other = Cells(many, many / 20, many / 20, *[many] * 2, *[many / 20] * 3)
    found = Contrast.of(arm, other, propensities=True).total().difference()
    assert 0.2 < float(found.high - found.value) < 0.3


def test_an_arm_that_all_visits_went_to_for_a_while_is_not_taken_for_one_that_kept_them() -> None:
    """UCB1, six refreshes an hour, 336 hours: over the holdout by lifts, and by itself by its mean.

    In 250 runs the median of a ratio has a standard error of 0.008. The lucky part of an hour was
    once taken for the whole of it: 1.07 for 1, and a mean 3 % too high.
    """
    cells = play(np.full((2_016, 3), 0.05), 90, 250, np.random.default_rng(9), policy=ucb1)
    hours = merged(cells, 6)
    n = np.full((250, 336), 60.0)
    r = np.random.default_rng(10).binomial(60, 0.05, n.shape).astype(np.float64)
    held, draws = Cells(n, r, r, n, n, r, r, r), Draws.of(hours)
    sides = draws, Draws.as_they_came(held)
    for place in range(3):
        arm = hours.arm(place)
        ratio = Contrast.of(arm, held, propensities=True, draws=sides).total().ratio()
        assert float(np.median(ratio.value)) == pytest.approx(1.0, abs=0.03)
        assert np.mean((ratio.low < 1.0) & (ratio.high > 1.0)) > 0.92
        mean = adaptive_mean(arm, still=draws.still)
        assert float(np.median(mean.value)) == pytest.approx(0.05, rel=0.02)
        assert np.mean((mean.low < 0.05) & (mean.high > 0.05)) > 0.91
