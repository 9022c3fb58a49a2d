"""Laws of every posterior: shares of being best sum to 1, and arms have no order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.beliefs import ARMS, KINDS, MEMBERS, Kind, read

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
Drawn = list[tuple[float, float]]


def test_every_posterior_is_under_these_laws() -> None:
    assert {type(read(kind, [(0.0, 0.0)])) for kind in KINDS.values()} == set(MEMBERS)


@every_kind
@given(arms=ARMS)
def test_the_chances_of_being_best_sum_to_one(kind: Kind, arms: Drawn) -> None:
    best = read(kind, arms).best()
    assert len(best) == len(arms)
    assert float(best.sum()) == pytest.approx(1.0, abs=1e-9)
    assert float(best.min()) >= 0.0


@every_kind
@given(arms=ARMS, shuffled=st.randoms(use_true_random=False))
def test_arms_have_no_order(kind: Kind, arms: Drawn, shuffled: np.random.Generator) -> None:
    order = list(range(len(arms)))
    shuffled.shuffle(order)
    there = read(kind, [arms[place] for place in order])
    here = read(kind, arms)
    assert there == here.take(order)
    np.testing.assert_allclose(there.best(), here.best()[order], atol=2e-9)
    np.testing.assert_array_equal(there.mean(), here.mean()[order])


@every_kind
@given(arms=ARMS, some=st.sets(st.integers(0, 5), min_size=1))
def test_taking_some_arms_is_never_having_had_the_others(
    kind: Kind, arms: Drawn, some: set[int]
) -> None:
    places = [place for place in sorted(some) if place < len(arms)] or [0]
    taken = read(kind, arms).take(places)
    assert taken == read(kind, [arms[place] for place in places])
    assert taken.take(range(len(places))) == taken
    assert float(taken.best().sum()) == pytest.approx(1.0, abs=1e-9)


@every_kind
@given(arms=ARMS)
def test_equal_arms_have_equal_chances(kind: Kind, arms: Drawn) -> None:
    best = read(kind, [*arms, *arms]).best()
    np.testing.assert_allclose(best[: len(arms)], best[len(arms) :], atol=2e-9)


@every_kind
@given(arms=ARMS)
def test_a_mean_lies_within_what_a_trial_can_earn(kind: Kind, arms: Drawn) -> None:
    low, high = kind.reward.bounds
    mean = read(kind, arms).mean()
    assert low - 1e-9 <= float(mean.min()) <= float(mean.max()) <= high + 1e-9
