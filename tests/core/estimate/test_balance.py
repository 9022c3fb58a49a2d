"""The sample-ratio check: silent while shares and propensities agree, whatever one looks at."""

import numpy as np
import pytest

from croupier.core.estimate.balance import balance
from croupier.core.estimate.cells import Cells
from croupier.core.worlds.batches import play


def test_adaptation_alone_is_no_alarm() -> None:
    """At p < 0.05 at any of 20 looks: 19 of 200 or more come by chance once in 200 seeds."""
    cells = play(np.tile([0.05, 0.06, 0.05], (40, 1)), 500, 200, np.random.default_rng(1))
    least = np.ones(200)
    for looks in range(2, 41, 2):
        seen = Cells(*(each[:, :looks] for each in cells))
        least = np.minimum(least, balance(seen, np.ones((looks, 3))).p.min(axis=-1) * 3)
    assert (least < 0.05).sum() < 19
    assert (least < 1e-4).sum() == 0


def test_impressions_that_are_lost_are_noticed() -> None:
    cells = play(np.tile([0.05, 0.06], (40, 1)), 2_000, 20, np.random.default_rng(1), floor=0.2)
    lost = Cells(*(each * np.array([1.0, 0.9]) for each in cells))
    assert np.all(balance(lost, np.ones((40, 2))).p.min(axis=-1) * 2 < 1e-4)


def test_an_arm_that_is_never_shown_is_noticed() -> None:
    cells = play(np.tile([0.05, 0.05], (40, 1)), 500, 5, np.random.default_rng(1))
    kept = np.ones((40, 2))
    kept[5:, 1] = 0.0  # cached pages: it is drawn, and nobody sees it
    gone = Cells(*(each * kept for each in cells))
    assert np.all(balance(gone, np.ones((40, 2))).p.min(axis=-1) * 2 < 1e-4)


def test_a_single_arm_is_shown_for_certain() -> None:
    n = np.full((3, 1), 10.0)
    found = balance(Cells(*[n] * 8), np.ones((3, 1)))
    assert (found.z.tolist(), found.p.tolist(), found.alarm) == ([0.0], [1.0], False)


def test_units_that_always_meet_the_same_arm_are_one_draw_each() -> None:
    """640 units of ten trials, 7 : 3; z² is then 10 times what it should be, and no luck is that.

    Of 100 runs each with |z| > 4.2 (64 groups, 63 degrees of freedom): 1 in 11,000.
    """
    dice, shares, zero = np.random.default_rng(6), np.array([0.7, 0.3]), np.zeros((64, 2))
    away, alone = [], []
    for _ in range(100):
        units = dice.binomial(10, 0.7, 64)
        n = 10.0 * np.stack([units, 10 - units], axis=-1)
        groups = Cells(n, zero, zero, n / np.sqrt(shares), n / shares, zero, zero, zero)
        whole = n.sum(axis=0, keepdims=True)
        cells = Cells(*(np.zeros((1, 2)) for _ in n[:8]))._replace(
            n=whole, w=whole / shares, w2=whole / shares**2
        )
        away.append(balance(cells, np.ones((1, 2)), groups=groups).z[0])
        alone.append(balance(cells, np.ones((1, 2))).z[0])
    assert np.abs(away).max() < 4.2
    assert 0.7 < np.std(away) < 1.3
    assert np.std(alone) > 2.0


@pytest.mark.parametrize(
    ("arms", "floor", "visits"), [(2, 0.001, 50), (3, 0.01, 50), (30, 0.003, 20)]
)
def test_arms_that_are_rarely_to_be_shown_may_be_missing(
    arms: int, floor: float, visits: int
) -> None:
    """Four refreshes an hour give all but the floors to one arm: often none of it is left to see.

    Of 400 runs at nine looks, 20 or more below 5 % would come of sound p-values that often at most.
    """
    dice, hours = np.random.default_rng(7), 72
    p = np.full((400, hours, 4, arms), floor)
    leader = dice.integers(0, arms, p.shape[:-1])
    np.put_along_axis(p, leader[..., None], 1.0 - (arms - 1) * floor, axis=-1)
    n = dice.multinomial(visits, p).astype(np.float64)
    zero = np.zeros((400, hours, arms))
    w, w2 = (n / p).sum(axis=2), (n / p**2).sum(axis=2)
    cells, ever = Cells(n.sum(axis=2), zero, zero, w, w2, zero, zero, zero), np.ones(400)
    for looks in range(8, 73, 8):
        seen = Cells(*(each[:, :looks] for each in cells))
        found = balance(seen, np.ones((looks, arms)), least=floor)
        ever = np.minimum(ever, found.p.min(axis=-1) * arms)
    assert (ever < 1e-4).sum() == 0
    assert (ever < 0.05).sum() < 20


def test_losses_are_found_beside_what_chance_may_have_left_out() -> None:
    """The arm that is drawn most has then a surplus, and of its scatter no floor is in doubt."""
    cells = play(np.tile([0.05, 0.06], (72, 1)), 2_000, 50, np.random.default_rng(8), floor=0.01)
    lost = Cells(*(each * np.array([1.0, 0.7]) for each in cells))
    found = [balance(each, np.ones((72, 2)), least=0.01) for each in (cells, lost)]
    alarms = [(each.p.min(axis=-1) * 2 < 1e-4).mean() for each in found]
    assert alarms == [0.0, 1.0]


def test_where_nobody_says_how_rare_an_arm_may_be_only_a_surplus_is_an_alarm() -> None:
    n, w = np.array([[900.0, 10.0]] * 2), np.array([[910.0, 100.0]] * 2)
    w2 = np.array([[950.0, 2_000.0]] * 2)
    cells = Cells(n, n, n, w, w2, w, w2, w2)
    assert balance(cells, np.ones((2, 2)), least=0.01).z[1] < -1.0
    found = balance(cells, np.ones((2, 2)))
    assert (float(found.z[1]), float(found.p[1])) == (0.0, 1.0)
