"""Priors fitted to arms of the past: known ones are found again."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from croupier.core.arms.prior import Prior, fit_prior
from croupier.core.arms.sums import Sums
from croupier.core.reward import MICRO

ARMS, LUCKS = 100, 20
PLACES = (np.arange(ARMS) + 0.5) / ARMS
LUCK = (np.arange(LUCKS) + 0.5) / LUCKS


def counted(n: int, successes: float) -> Sums:
    hits = round(successes)
    return Sums(n, hits * MICRO, hits * MICRO**2)


@pytest.mark.parametrize("n", [100, 2_000])
@pytest.mark.parametrize(("a", "b"), [(2, 98), (1, 1), (5, 15), (1, 99)])
def test_a_known_beta_is_found_again(a: float, b: float, n: int) -> None:
    """Arms at the quantiles of Beta(a, b), each with binomial luck at its quantiles: no dice."""
    rates = stats.beta.ppf(PLACES, a, b)
    past = [counted(n, stats.binom.ppf(u, n, rate)) for rate in rates for u in LUCK]
    fit = fit_prior(past)
    assert fit.differ
    assert fit.prior.mean == pytest.approx(a / (a + b), rel=0.03)
    assert fit.prior.trials == pytest.approx(a + b, rel=0.12)
    assert (fit.arms, fit.trials) == (ARMS * LUCKS, ARMS * LUCKS * n)


@pytest.mark.parametrize(("a", "b"), [(6, 4), (40, 20)])
def test_a_known_gamma_is_found_again(a: float, b: float) -> None:
    """Poisson counts of n trials: Σr² is its expectation, n (λ + λ²), plus what Σr adds."""
    n, past = 50, []
    for rate in stats.gamma.ppf(PLACES, a, scale=1 / b):
        for u in LUCK:
            r = stats.poisson.ppf(u, n * rate)
            r2 = r * r / n + (n - 1) * rate
            past.append(Sums(n, round(r * MICRO), round(r2 * MICRO**2)))
    fit = fit_prior(past)
    assert fit.prior.mean == pytest.approx(a / b, rel=0.02)
    assert fit.prior.trials == pytest.approx(b, rel=0.12)


def test_a_known_normal_is_found_again() -> None:
    """Means N(3, 0.5²), rewards that scatter by 4: a prior of 64 trials."""
    n, past = 200, []
    for mean in stats.norm.ppf(PLACES, 3.0, 0.5):
        for luck in stats.norm.ppf(LUCK, 0.0, 4 / math.sqrt(n)):
            seen = mean + luck
            past.append(
                Sums(n, round(n * seen * MICRO), round((n * seen**2 + 16 * (n - 1)) * 1e12))
            )
    fit = fit_prior(past)
    assert fit.prior.mean == pytest.approx(3.0, rel=1e-6)
    assert fit.prior.deviation == pytest.approx(4.0, rel=1e-6)
    assert fit.prior.trials == pytest.approx(64, rel=0.08)


def test_arms_that_differ_by_chance_alone_say_so() -> None:
    fit = fit_prior([counted(1_000, 20), counted(1_000, 21), counted(4_000, 81)])
    assert not fit.differ
    assert fit.prior.trials == 1_500, "n₀ √((K − 1) / 2), what three such arms can tell from none"
    assert fit.prior.mean == pytest.approx(122 / 6_000, rel=0.01)


@given(
    tallies=st.lists(
        st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
        min_size=2,
        max_size=30,
    ),
    idle=st.integers(0, 3),
)
def test_any_past_gives_a_prior_that_can_be_declared(
    tallies: list[tuple[int, int]], idle: int
) -> None:
    past = [counted(n, hits) for n, hits in tallies]
    if max(n for n, _ in tallies) < 2:
        return
    fit = fit_prior([*past, *[Sums()] * idle])
    assert fit == fit_prior(past[::-1])._replace(prior=fit.prior)
    assert not set(fit.prior.problems("normal", 0.0, 1.0)) - {
        ("prior.deviation", "expected above 0, at most 1")
    }


@pytest.mark.parametrize("past", [[], [Sums(5, 0, 0)], [Sums(5, 0, 0), Sums()], [Sums(1)] * 3])
def test_too_little_past_is_refused(past: list[Sums]) -> None:
    with pytest.raises(ValueError, match="at least two arms"):
        fit_prior(past)


@pytest.mark.parametrize(
    ("kind", "prior", "keys"),
    [
        ("beta", Prior(0.02, 50), []),
        ("beta", Prior(0.02, 50, deviation=1.0), ["prior.deviation"]),
        ("beta", Prior(1.2, 0.0), ["prior.mean", "prior.trials"]),
        ("beta", Prior(0.0, 50), ["prior"]),
        ("beta", Prior(1.0, 50), ["prior"]),
        ("beta", Prior(math.nan, math.nan), ["prior.mean", "prior.trials"]),
        ("count", Prior(1.0, 2.0), []),
        ("count", Prior(0.0, 2.0), ["prior"]),
        ("normal", Prior(0.0, 2.0, deviation=0.5), []),
        ("normal", Prior(0.0, 2.0, deviation=0.0), ["prior.deviation"]),
        ("normal", Prior(0.0, 2e6, deviation=math.inf), ["prior.trials", "prior.deviation"]),
    ],
)
def test_a_prior_that_cannot_be_is_told(kind: str, prior: Prior, keys: list[str]) -> None:
    assert [key for key, _ in prior.problems(kind, 0.0, 1.0)] == keys
