"""Sequences: wider than intervals, and rarely wrong however often one looks."""

import numpy as np

from croupier.core.estimate.anytime import difference_sequence, ratio_sequence
from croupier.core.estimate.contrast import Contrast
from croupier.core.worlds.batches import play, thompson_shares

RUNS, LOOKS = 200, 96


def test_two_equal_arms_seldom_have_a_winner() -> None:
    """At 5 % at most, 22 of 200 or more come by chance once in 2,000 seeds; this one is fixed.

    P(best) > 95 % flags most of the same runs.
    """
    cells = play(np.full((LOOKS, 2), 0.05), 500, RUNS, np.random.default_rng(5))
    contrast = Contrast.of(cells.arm(1), cells.arm(0)).so_far()
    for sequence, even in ((ratio_sequence, 1.0), (difference_sequence, 0.0)):
        found = sequence(contrast)
        wrong = np.any((found.low > even) | (found.high < even), axis=-1)
        assert wrong.sum() < 22
    n, r = np.cumsum(cells.n, axis=1), np.cumsum(cells.r, axis=1)
    mean = (1.0 + r) / (2.0 + n)
    best = thompson_shares(mean, np.sqrt(mean * (1.0 - mean) / (n + 3.0)))
    assert np.any(best > 0.95, axis=(1, 2)).mean() > 0.4


def test_a_clear_winner_is_found_and_the_truth_is_kept() -> None:
    cells = play(np.tile([0.05, 0.15], (LOOKS, 1)), 500, 50, np.random.default_rng(5))
    found = ratio_sequence(Contrast.of(cells.arm(1), cells.arm(0)).so_far())
    assert np.all(np.any(found.low > 1.0, axis=-1))
    assert np.mean(np.all((found.low <= 3.0) & (found.high >= 3.0), axis=-1)) > 0.86


def test_a_sequence_is_wider_than_an_interval() -> None:
    cells = play(np.tile([0.05, 0.06], (30, 1)), 500, 20, np.random.default_rng(5))
    total = Contrast.of(cells.arm(1), cells.arm(0)).total()
    for once, ever in (
        (total.ratio(), ratio_sequence(total)),
        (total.difference(), difference_sequence(total)),
    ):
        assert np.all(ever.low < once.low)
        assert np.all(ever.high > once.high)
