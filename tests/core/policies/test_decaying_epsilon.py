"""How decaying ε falls, and what it shares."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core.arms.bernoulli import Beta
from croupier.core.policies.decaying_epsilon import DecayingEpsilon

trials = st.integers(0, 10**8)
policies = st.builds(DecayingEpsilon, explore=st.floats(0.0, 1e5))


@given(policy=policies, arms=st.integers(1, 1_000), n=trials, more=trials)
def test_epsilon_never_grows(policy: DecayingEpsilon, arms: int, n: int, more: int) -> None:
    assert 1.0 >= policy.epsilon(arms, n) >= policy.epsilon(arms, n + more) >= 0.0


@pytest.mark.parametrize("arms", [2, 7])
def test_it_is_auers_epsilon(arms: int) -> None:
    """min(1, cK/(d²n)) with explore = c/d²."""
    c, d = 5.0, 0.1
    policy = DecayingEpsilon(explore=c / d**2)
    for n in (10, 1_000, 3_000, 10**6):
        assert policy.epsilon(arms, n) == pytest.approx(min(1.0, c * arms / (d * d * n)))


def test_what_an_arm_gets_for_its_own_sake() -> None:
    """About m (1 + ln(N / mK)) trials, as the docstring says."""
    policy, arms, end = DecayingEpsilon(explore=500), 4, 100_000
    each = sum(policy.epsilon(arms, n) for n in range(end)) / arms
    assert each == pytest.approx(500 * (1 + math.log(end / 2_000)), rel=1e-3)


def test_a_prior_does_not_hurry_it() -> None:
    """Only trials count: a prior of 1,000 trials leaves ε at 1."""
    untried = Beta((20.0, 20.0), (980.0, 980.0), prior=(20.0, 980.0))
    assert DecayingEpsilon(explore=10).weights(untried).tolist() == [0.5, 0.5]


def test_without_exploration_it_is_greedy() -> None:
    two = Beta((1.0, 9.0), (9.0, 1.0))
    assert DecayingEpsilon(explore=0).weights(two).tolist() == [0.0, 1.0]
