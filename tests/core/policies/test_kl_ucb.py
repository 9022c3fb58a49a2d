"""KL-UCB's index against its definition, closed forms and UCB1."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from croupier.core.arms.bernoulli import Beta
from croupier.core.policies.kl_ucb import KLUCB, kl_ucb_index
from croupier.core.policies.ucb1 import ucb1_index

counts = st.integers(1, 10**6).map(float)
shares = st.floats(0.0, 1.0)
totals = st.floats(2.0, 1e9)
few_digits = st.integers(0, 1000).map(lambda part: part / 1000)


def index(n: float, mean: float, total: float, c: float = 0.0) -> float:
    return float(kl_ucb_index(np.array([n]), np.array([mean]), total, c)[0])


@given(n=counts, mean=shares, total=totals, c=st.floats(0.0, 5.0))
def test_the_index_lies_between_the_mean_and_one(
    n: float, mean: float, total: float, c: float
) -> None:
    assert mean <= index(n, mean, total, c) <= 1.0


@given(n=counts, more=counts, mean=shares, total=totals)
def test_the_index_falls_as_trials_come(n: float, more: float, mean: float, total: float) -> None:
    assert index(n, mean, total) >= index(n + more, mean, total)


@given(n=counts, mean=few_digits, total=totals)
def test_it_is_never_more_hopeful_than_ucb1(n: float, mean: float, total: float) -> None:
    """Pinsker: kl(p, q) ≥ 2 (p − q)², so the index is at most r̄ + √(ln N / 2n)."""
    half = ucb1_index(np.array([n]), np.array([mean]), total, alpha=0.5)[0]
    assert index(n, mean, total) <= half + 1e-12


@given(n=counts, total=totals)
def test_without_a_success_it_has_a_closed_form(n: float, total: float) -> None:
    assert index(n, 0.0, total) == pytest.approx(-math.expm1(-math.log(total) / n), rel=1e-9)


@pytest.mark.parametrize("c", [0.0, 3.0])
@pytest.mark.parametrize("mean", [0.001, 0.02, 0.5, 0.7])
@pytest.mark.parametrize("n", [3.0, 500.0, 1e6])
def test_against_another_root_finder(n: float, mean: float, c: float) -> None:
    total = 2e6
    budget = math.log(total) + c * math.log(math.log(total))

    def excess(q: float) -> float:
        kl = mean * math.log(mean / q) + (1 - mean) * math.log((1 - mean) / (1 - q))
        return n * kl - budget

    root = optimize.brentq(excess, mean, 1 - 1e-16, xtol=1e-15, rtol=1e-14)
    assert index(n, mean, total, c) == pytest.approx(root, abs=1e-9)


def test_untried_arms_come_first_and_share() -> None:
    one_tried = Beta((1.0, 91.0, 1.0), (1.0, 11.0, 1.0))
    assert KLUCB().weights(one_tried).tolist() == [0.5, 0.0, 0.5]
