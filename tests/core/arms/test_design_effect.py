"""Design effects: 1 where trials are independent, more where units return, exact in any order."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from croupier.core.arms.design_effect import Away, Effect, pooled
from croupier.core.arms.groups import GROUPS, GroupTable
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import Sums

RUNS, UNITS, TIMES = 400, 3_000, 10


def groups(dice: np.random.Generator, alike: float) -> FloatArray:
    """n, Σr, Σr² by group of units with ten trials each, correlated by `alike`: (3, R, G)."""
    group = dice.integers(0, GROUPS, (RUNS, UNITS))
    rates = np.full((RUNS, UNITS), 0.2)
    if alike:
        scale = 1.0 / alike - 1.0
        rates = dice.beta(0.2 * scale, 0.8 * scale, (RUNS, UNITS))
    place = (np.arange(RUNS)[:, None] * GROUPS + group).ravel()
    r = np.bincount(place, dice.binomial(TIMES, rates).ravel(), minlength=RUNS * GROUPS)
    n = TIMES * np.bincount(place, minlength=RUNS * GROUPS)
    return np.array([n, r, r], dtype=np.float64).reshape(3, RUNS, GROUPS)


def effect(sums: FloatArray) -> Effect:
    n, r, r2 = sums
    return Effect.of(Away.of(np.array([n, r, n, r, r2])))


def test_units_that_are_alike_to_themselves_are_found() -> None:
    """The design effect is 1 + 9·alike; its relative error √(2/63) = 0.18, of 400 runs 0.009."""
    for alike, true in ((0.0, 1.0), (0.1, 1.9)):
        found = effect(groups(np.random.default_rng(1), alike)).phi
        assert abs(found.mean() / true - 1.0) < 0.04  # four standard errors, and 0.004
        assert abs(found.std() / true - 0.18) < 0.04


def test_units_that_make_most_trials_leave_few_degrees() -> None:
    one = np.full(GROUPS, 100.0)
    some = np.where(np.arange(GROUPS) < 4, 1e6, 1.0)
    for n, degrees in ((one, 63.0), (some, 3.0)):
        found = effect(np.array([n, n / 5, n / 5]))
        assert abs(float(found.degrees) - degrees) < 0.01
    assert effect(np.array([some, some / 5, some / 5])).always > 1.0 - 1e-9


def test_what_cannot_tell_does_not_widen() -> None:
    none = np.zeros((3, GROUPS))
    assert abs(float(effect(none).once) - 1.0) < 1e-12
    assert float(effect(none).always) == 1.0
    assert pooled(np.zeros((3, GROUPS, 0))) == 1.0
    assert pooled(none[..., None]) == 1.0
    one = np.where(np.arange(GROUPS) == 7, 100.0, 0.0)  # a single unit: nothing is known of others
    assert float(effect(np.array([one, one / 5, one / 5])).once) > 40.0
    sure = np.array([np.full(GROUPS, 5.0)] * 3)  # all succeed
    assert float(effect(sure).always) == 1.0


TRIALS = st.lists(
    st.tuples(
        st.integers(0, GROUPS - 1),
        st.integers(0, 2),
        st.integers(-(10**9), 10**9),
        st.sampled_from((1.0, 0.3, 0.01)),
    ),
    max_size=12,
)


@settings(max_examples=50)
@given(trials=TRIALS, dice=st.randoms(use_true_random=False))
def test_groups_add_up_in_any_order(
    trials: list[tuple[int, int, int, float]], dice: object
) -> None:
    one, other = GroupTable(), GroupTable()
    for group, arm, reward, propensity in trials:
        one.add(group, arm, Sums.of(reward, propensity))
    dice.shuffle(trials)  # type: ignore[attr-defined]
    for group, arm, reward, propensity in trials:
        other.add(group, arm, Sums.of(reward, propensity))
    assert np.array_equal(one.read((2, 0)), other.read((2, 0)))
    assert one.read((0, 1, 2))[0].sum() == len(trials)
