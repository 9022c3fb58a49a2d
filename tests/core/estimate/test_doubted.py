"""What fitted weights leave uncertain of a comparison: by arithmetic, and simulated."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from croupier.core.arms.panels import FloatArray
from croupier.core.estimate.anytime import difference_sequence, ratio_sequence
from croupier.core.estimate.cells import Cells
from croupier.core.estimate.contrast import Contrast
from croupier.core.estimate.doubted import CERTAIN, Doubted
from croupier.core.signals import Doubt
from croupier.core.worlds.late import told

WEIGHTS = np.array([0.4, -0.3])
SEEDS = st.integers(0, 2**32 - 1)


def shown(dice: np.random.Generator) -> tuple[Cells, list[Cells]]:
    """Six periods of an arm: of the reward 0.4 x − 0.3 y, and of its signals x and y."""
    trials, shares = dice.integers(2, 40, 6), dice.uniform(0.1, 0.9, 6)
    x = [dice.integers(0, 4, (n, 2)).astype(np.float64) for n in trials]
    values = [(each @ WEIGHTS, each[:, 0], each[:, 1]) for each in x]
    cells = [
        Cells(
            *np.array([_sums(row[place], w) for row, w in zip(values, 1 / shares, strict=True)]).T
        )
        for place in range(3)
    ]
    return cells[0], cells[1:]


def _sums(r: FloatArray, w: float) -> list[float]:
    n, first, second = float(r.size), float(r.sum()), float((r**2).sum())
    return [n, first, second, n * w, n * w**2, w * first, w**2 * first, w**2 * second]


def contrasted(seed: int) -> tuple[Contrast, FloatArray, FloatArray]:
    """The total contrast of two arms' rewards, and G and B of their signals."""
    dice = np.random.default_rng(seed)
    (arm, ours), (other, theirs) = shown(dice), shown(dice)
    totals = [
        Contrast.of(*pair, propensities=True).total() for pair in zip(ours, theirs, strict=True)
    ]
    gained, base = np.array([(float(each.gained), float(each.base)) for each in totals]).T
    return Contrast.of(arm, other, propensities=True).total(), gained, base


@given(SEEDS)
def test_a_contrast_of_rewards_is_that_of_its_signals_by_weight(seed: int) -> None:
    total, gained, base = contrasted(seed)
    assert float(total.gained) == pytest.approx(gained @ WEIGHTS, abs=1e-9)
    assert float(total.base) == pytest.approx(base @ WEIGHTS, abs=1e-9)


@given(SEEDS, st.floats(0.2, 5.0))
def test_no_weights_within_their_ellipse_are_beyond_its_reach(seed: int, theta: float) -> None:
    """Scheffé: sup over all errors ε with εᵀΣ⁻¹ε ≤ χ² of |(G − θB)ᵀε|, for every θ at once."""
    dice = np.random.default_rng(seed)
    _, gained, base = contrasted(seed)
    root = dice.normal(size=(2, 2))
    one = Doubted(gained, base, root @ root.T)
    most = np.sqrt(special.chdtri(2, 0.025))
    angles = np.linspace(0.0, 2.0 * np.pi, 721)
    errors = most * np.stack([np.cos(angles), np.sin(angles)]).T @ root.T
    furthest = np.abs(errors @ (gained - theta * base)).max()
    reach = float(one.reach(0.05, theta))
    assert furthest <= reach * (1 + 1e-9) + 1e-12
    assert furthest >= reach * np.cos(np.pi / 720) - 1e-9


@given(SEEDS)
def test_weights_without_errors_change_nothing(seed: int) -> None:
    total, gained, base = contrasted(seed)
    sure = Doubted(gained, base, np.zeros((2, 2)))
    for find in (Contrast.ratio, Contrast.difference, ratio_sequence, difference_sequence):
        for one, other in zip(find(total, doubted=sure), find(total, doubted=CERTAIN), strict=True):
            np.testing.assert_array_equal(one, other)


@given(SEEDS, st.floats(0.0, 0.1))
def test_doubt_only_widens_and_leaves_the_estimate(seed: int, size: float) -> None:
    total, gained, base = contrasted(seed)
    one = Doubted(gained, base, size * np.eye(2))
    for find in (Contrast.ratio, Contrast.difference, ratio_sequence, difference_sequence):
        sure, unsure = find(total), find(total, doubted=one)
        np.testing.assert_array_equal(sure.value, unsure.value)
        assert unsure.low <= sure.low + 1e-9
        assert unsure.high >= sure.high - 1e-9


def test_of_no_signals_nothing_is_in_doubt() -> None:
    none = Doubted.of(Doubt.of({}), [])
    assert none.noise(np.array([1.0, 2.0])).tolist() == [0.0, 0.0]
    assert none.share(0.05) == 0.05
    assert none.reach(0.05).tolist() == 0.0


@pytest.mark.long
def test_estimates_hold_what_is_true_as_often_as_they_say() -> None:
    """Means, ratios and differences: standard error at most √(0.05·0.95 / 1,500) = 0.0056.

    So of a thousand seeds one would fail. At any time an interval is right at least as often.
    """
    certain, declared = told(1_500, 400, seed=1)
    assert ((declared[:3] >= 0.931) & (declared[:3] <= 0.969)).all()
    assert declared[3] > 0.95
    assert (certain[:3] < 0.8).all()
