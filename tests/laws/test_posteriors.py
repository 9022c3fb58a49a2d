"""Laws of every posterior: shares of being best sum to 1, and arms have no order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core.arms.prior import Prior
from tests.laws.beliefs import ARMS, KINDS, MEMBERS, Kind, read, reading

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


# --- priors, and what was seen without them -------------------------------------------------------

PRIORS = st.builds(Prior, mean=st.floats(0.02, 0.98), trials=st.floats(0.5, 1e4))


def scaled(prior: Prior, kind: Kind) -> Prior:
    """The same, with its mean as a part of what a trial can earn."""
    return Prior(prior.mean * kind.reward.bounds[1], prior.trials)


@every_kind
@given(prior=PRIORS)
def test_an_untried_arm_has_the_prior_mean(kind: Kind, prior: Prior) -> None:
    said = scaled(prior, kind)
    assert float(read(kind, [(0.0, 0.0)], said).mean()[0]) == pytest.approx(said.mean, rel=1e-12)


@every_kind
@given(arms=ARMS, prior=PRIORS)
def test_a_prior_counts_as_so_many_trials(kind: Kind, arms: Drawn, prior: Prior) -> None:
    """The mean is (trials · prior mean + n · r̄) / (trials + n)."""
    said, (_, high) = scaled(prior, kind), kind.reward.bounds
    n, share = np.array([n for n, _ in arms]), np.array([share for _, share in arms])
    expected = (said.trials * said.mean + n * share * high) / (said.trials + n)
    np.testing.assert_allclose(read(kind, arms, said).mean(), expected, rtol=1e-9)


@every_kind
@given(arms=ARMS, prior=st.none() | PRIORS)
def test_what_was_tried_is_told_without_the_prior(
    kind: Kind, arms: Drawn, prior: Prior | None
) -> None:
    said, (low, high) = prior and scaled(prior, kind), kind.reward.bounds
    seen, belief = reading(kind, arms), read(kind, arms, said)
    n, mean = belief.tried()
    np.testing.assert_allclose(n, seen.n, atol=1e-9)
    assert [trials == 0 for trials in n] == [trials == 0 for trials in seen.n]
    shares = [
        (r / k - low) / (high - low) if k else 0.0 for k, r in zip(seen.n, seen.r, strict=True)
    ]
    np.testing.assert_allclose(mean, shares, atol=1e-8)
    assert 0.0 <= float(mean.min()) <= float(mean.max()) <= 1.0


@every_kind
@given(arms=ARMS, prior=PRIORS)
def test_a_stated_prior_leaves_the_laws_of_allocation(
    kind: Kind, arms: Drawn, prior: Prior
) -> None:
    belief = read(kind, arms, scaled(prior, kind))
    assert float(belief.best().sum()) == pytest.approx(1.0, abs=1e-9)
    assert belief.take(range(len(arms))) == belief
