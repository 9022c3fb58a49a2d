"""Probabilities of being best against closed forms, an independent reference, and laws."""

import math
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from croupier.core.arms import panels
from croupier.core.arms.best import best_beta, best_gamma, best_student
from croupier.core.arms.curves import BetaCurves, GammaCurves, StudentCurves
from croupier.core.arms.panels import FloatArray

CLOSE = 1e-9

shapes = st.floats(math.log(0.01), math.log(1e8)).map(math.exp)
betas = st.lists(st.tuples(shapes, shapes), min_size=1, max_size=12)
scales = st.floats(math.log(1e-6), math.log(1e6)).map(math.exp)
degrees = st.floats(math.log(0.5), math.log(1e9)).map(math.exp)
students = st.lists(st.tuples(st.floats(-1e6, 1e6), scales, degrees), min_size=1, max_size=12)


def columns(arms: Sequence[tuple[float, ...]]) -> tuple[FloatArray, ...]:
    return tuple(np.array(column) for column in zip(*arms, strict=True))


def is_a_distribution(weights: FloatArray) -> bool:
    return bool(weights.min() >= 0.0 and abs(weights.sum() - 1.0) < CLOSE)


# --- known numbers --------------------------------------------------------------------------------


def test_the_four_headlines_of_an_upworthy_test() -> None:
    impressions = np.array([3725, 3735, 3668, 3694])
    clicks = np.array([73, 58, 62, 93])
    known = [0.05146705957761523, 0.0010112736293347879, 0.005063117565680602, 0.9424585492273689]
    found = best_beta(clicks + 1.0, impressions - clicks + 1.0)
    assert found == pytest.approx(known, abs=1e-12)


def test_one_arm_is_the_best() -> None:
    assert best_beta(np.array([0.01]), np.array([1e8])).tolist() == [1.0]
    assert best_student(np.array([-5.0]), np.array([3.0]), np.array([0.5])).tolist() == [1.0]


@pytest.mark.parametrize(
    ("a", "b", "c", "d"), [(3, 5, 2, 7), (1, 1, 1, 1), (40, 60, 45, 50), (1, 99, 2, 150)]
)
def test_two_beta_arms_of_whole_shapes(a: int, b: int, c: int, d: int) -> None:
    """P(Y > X) = Σ_{i<c} B(a+i, b+d) / ((d+i) B(1+i, d) B(a, b)); X Beta(a, b), Y Beta(c, d)."""
    y_best = sum(
        math.exp(special.betaln(a + i, b + d) - special.betaln(1 + i, d) - special.betaln(a, b))
        / (d + i)
        for i in range(c)
    )
    found = best_beta(np.array([a, c], float), np.array([b, d], float))
    assert found == pytest.approx([1.0 - y_best, y_best], abs=1e-12)


@pytest.mark.parametrize("a", [0.01, 0.5, 1.0, 30.0, 1e8])
def test_a_uniform_arm_against_any_is_its_mean(a: float) -> None:
    """P(Beta(a, b) > U) = E[Beta(a, b)] = a / (a + b)."""
    for b in (0.01, 1.0, 1e6):
        found = best_beta(np.array([a, 1.0]), np.array([b, 1.0]))
        assert found[0] == pytest.approx(a / (a + b), abs=CLOSE)


@pytest.mark.parametrize("shift", [0.0, 0.3, 4.0, -7.0])
@pytest.mark.parametrize("wide", [1e-6, 1.0, 1e6])
def test_two_normal_and_two_cauchy_arms(shift: float, wide: float) -> None:
    location, scale = np.array([shift * wide, 0.0]), np.array([wide, 1.0])
    normal = best_student(location, scale, np.full(2, 1e9))
    assert normal[0] == pytest.approx(special.ndtr(shift * wide / math.hypot(wide, 1)), abs=CLOSE)
    cauchy = best_student(location, scale, np.ones(2))
    known = 0.5 + math.atan(shift * wide / (wide + 1.0)) / math.pi
    assert cauchy[0] == pytest.approx(known, abs=CLOSE)


def test_a_large_arm_keeps_its_digits() -> None:
    """Beta(1e8, 1e8) against a shifted twin: P = Φ(mean / √variance) up to terms of 1e-9."""
    step = 1e4
    found = best_beta(np.array([1e8 + step, 1e8]), np.array([1e8 - step, 1e8]))
    twice_variance = 2.0 * stats.beta.var(1e8, 1e8)
    assert found[0] == pytest.approx(special.ndtr(step / 2e8 / math.sqrt(twice_variance)), abs=1e-8)


def test_a_hopeless_arm_has_almost_nothing() -> None:
    found = best_beta(np.array([1.0, 1.0, 50.0]), np.array([29.0, 1.0, 1.0]))
    known = mpmath.quad(
        lambda x: 29 * (1 - x) ** 28 * x * x**50, [0, mpmath.mpf("0.25"), mpmath.mpf("0.75"), 1]
    )
    assert 0.0 <= found[0] < 1e-12
    assert found[0] == pytest.approx(float(known), abs=1e-13)
    far = best_student(np.array([0.0, 40.0]), np.ones(2), np.full(2, 1e9))
    assert far[0] < 1e-13


# --- an independent reference: adaptive quadrature of scipy's densities ---------------------------


def adaptive_beta(a: FloatArray, b: FloatArray) -> list[float]:
    def share(i: int) -> float:
        def integrand(x: float) -> float:
            others = special.betainc(np.delete(a, i), np.delete(b, i), x).prod()
            return float(stats.beta.pdf(x, a[i], b[i]) * others)

        mean, deviation = stats.beta.mean(a, b), stats.beta.std(a, b)
        marks = {float(m + k * s) for m, s in zip(mean, deviation, strict=True) for k in (-8, 0, 8)}
        return pieces(integrand, [0.0, *sorted(x for x in marks if 0.0 < x < 1.0), 1.0])

    return [share(i) for i in range(len(a))]


def adaptive_student(location: FloatArray, scale: FloatArray, df: FloatArray) -> list[float]:
    def share(i: int) -> float:
        def integrand(u: float) -> float:
            x = location[i] + scale[i] * math.sinh(u)
            t = (x - np.delete(location, i)) / np.delete(scale, i)
            others = special.stdtr(np.delete(df, i), t).prod()
            return float(stats.t.pdf(math.sinh(u), df[i]) * math.cosh(u) * others)

        marks = np.arcsinh((location - location[i]) / scale[i])
        return pieces(integrand, [-60.0, *sorted({float(m) for m in marks}), 60.0])

    return [share(i) for i in range(len(location))]


def pieces(integrand: object, edges: list[float]) -> float:
    quad = integrate.quad
    return math.fsum(quad(integrand, *pair, epsabs=1e-12, limit=200)[0] for pair in pairwise(edges))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([3.0, 10.0, 300.0], [30.0, 110.0, 2900.0]),
        ([1.0, 1.0, 1.0, 90.0], [1.0, 99.0, 5.0, 4.0]),
        ([1.5, 40.0, 2e4], [1.5, 45.0, 2.1e4]),
    ],
)
def test_beta_arms_against_adaptive_quadrature(a: list[float], b: list[float]) -> None:
    arms = np.array(a), np.array(b)
    assert best_beta(*arms) == pytest.approx(adaptive_beta(*arms), abs=CLOSE)


@pytest.mark.parametrize(
    ("location", "scale", "df"),
    [
        ([0.0, 0.5, -1.0], [1.0, 1.0, 1.0], [5.0, 8.0, 3.0]),
        ([0.0, 0.1, -2.0], [1.0, 0.05, 3.0], [0.5, 30.0, 2.0]),
    ],
)
def test_student_arms_against_adaptive_quadrature(
    location: list[float], scale: list[float], df: list[float]
) -> None:
    arms = np.array(location), np.array(scale), np.array(df)
    assert best_student(*arms) == pytest.approx(adaptive_student(*arms), abs=CLOSE)


def adaptive_gamma(a: FloatArray, b: FloatArray) -> list[float]:
    def share(i: int) -> float:
        def integrand(x: float) -> float:
            others = special.gammainc(np.delete(a, i), np.delete(b, i) * x).prod()
            return float(stats.gamma.pdf(x, a[i], scale=1.0 / b[i]) * others)

        mean, deviation = a / b, np.sqrt(a) / b
        marks = {float(m + k * s) for m, s in zip(mean, deviation, strict=True) for k in (-8, 0, 8)}
        ends = [0.0, *sorted(x for x in marks if x > 0.0), float((mean + 60 * deviation).max())]
        return pieces(integrand, ends)

    return [share(i) for i in range(len(a))]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([60.0, 75.0, 48.0], [41.0, 44.0, 40.0]),
        ([1.0, 1.0, 1.0, 90.0], [1.0, 99.0, 5.0, 40.0]),
        ([1.5, 40.0, 2e4], [1.5, 45.0, 2.1e4]),
    ],
)
def test_gamma_arms_against_adaptive_quadrature(a: list[float], b: list[float]) -> None:
    arms = np.array(a), np.array(b)
    assert best_gamma(*arms) == pytest.approx(adaptive_gamma(*arms), abs=CLOSE)


@settings(max_examples=100, deadline=None)
@given(shapes, shapes, scales, scales)
def test_two_gamma_arms_of_any_shapes_and_rates(a: float, c: float, b: float, d: float) -> None:
    """X/Y of gamma variables: P(X > Y) = I_{d/(b+d)}(c, a)."""
    part, rest = d / (b + d), b / (b + d)
    known = special.betainc(c, a, part) if part < 0.5 else special.betaincc(a, c, rest)
    found = best_gamma(np.array([a, c]), np.array([b, d]))
    assert found[0] == pytest.approx(known, abs=CLOSE)
    near = best_gamma(np.array([a, c]), np.array([a, c * (1.0 + 1.0 / math.sqrt(c + 1.0))]))
    assert is_a_distribution(near)


def test_shapes_below_one_against_many_digits() -> None:
    """Jeffreys' prior and less: P(X > Y) = ∫ F_Y dF_X with mpmath, singular ends and all."""
    a, b, c, d = 0.5, 0.5, 0.3, 2.5

    def integrand(x: mpmath.mpf) -> mpmath.mpf:
        below = mpmath.betainc(c, d, 0, x, regularized=True)
        return x ** (a - 1) * (1 - x) ** (b - 1) / mpmath.beta(a, b) * below

    known = float(mpmath.quad(integrand, [0, 0.5, 1]))
    assert best_beta(np.array([a, c]), np.array([b, d]))[0] == pytest.approx(known, abs=CLOSE)


# --- laws -----------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(betas, st.randoms(use_true_random=False))
def test_beta_shares_follow_their_arms(arms: list[tuple[float, float]], random: Random) -> None:
    order = random.sample(range(len(arms)), len(arms))
    a, b = columns(arms)
    found = best_beta(a, b)
    assert is_a_distribution(found)
    assert best_beta(a[order], b[order]) == pytest.approx(found[order], abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(betas, st.randoms(use_true_random=False))
def test_gamma_shares_follow_their_arms(arms: list[tuple[float, float]], random: Random) -> None:
    order = random.sample(range(len(arms)), len(arms))
    a, b = columns(arms)
    found = best_gamma(a, b)
    assert is_a_distribution(found)
    assert best_gamma(a[order], b[order]) == pytest.approx(found[order], abs=1e-12)
    assert best_gamma(a, b * 1e-3) == pytest.approx(found, abs=CLOSE)


@settings(max_examples=60, deadline=None)
@given(students, st.randoms(use_true_random=False))
def test_student_shares_follow_their_arms(
    arms: list[tuple[float, float, float]], random: Random
) -> None:
    order = random.sample(range(len(arms)), len(arms))
    location, scale, df = columns(arms)
    found = best_student(location, scale, df)
    assert is_a_distribution(found)
    again = best_student(location[order], scale[order], df[order])
    assert again == pytest.approx(found[order], abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(shapes, shapes, scales, degrees, st.integers(1, 60))
def test_equal_arms_share_equally(a: float, b: float, scale: float, df: float, k: int) -> None:
    equal = pytest.approx(np.full(k, 1.0 / k), abs=1e-12)
    assert best_beta(np.full(k, a), np.full(k, b)) == equal
    assert best_gamma(np.full(k, a), np.full(k, b)) == equal
    assert best_student(np.full(k, 7.0), np.full(k, scale), np.full(k, df)) == equal


@settings(max_examples=60, deadline=None)
@given(betas)
def test_one_more_success_never_lowers_a_share(arms: list[tuple[float, float]]) -> None:
    a, b = columns(arms)
    more = a.copy()
    more[0] += 1.0
    assert best_beta(more, b)[0] >= best_beta(a, b)[0] - CLOSE
    assert best_gamma(more, b)[0] >= best_gamma(a, b)[0] - CLOSE


@settings(max_examples=40, deadline=None)
@given(students, st.floats(-1e3, 1e3), scales)
def test_only_differences_in_units_matter(
    arms: list[tuple[float, float, float]], shift: float, unit: float
) -> None:
    location, scale, df = columns(arms)
    location = np.round(location) % 1000.0  # so that the shift loses no digit that a scale needs
    scale = np.maximum(scale, 1e-3)
    moved = best_student((location + shift) * unit, scale * unit, df)
    assert moved == pytest.approx(best_student(location, scale, df), abs=1e-8)


# --- stress ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b"),
    [
        *[(1, 1), (0.5, 0.5), (0.01, 0.01), (0.01, 1e8), (1e8, 0.01)],
        *[(1, 99), (1, 1e6), (1e6, 1), (1e8, 1e8), (30, 3)],
    ],
)
@pytest.mark.parametrize("k", [2, 1000])
def test_many_equal_arms(a: float, b: float, k: int) -> None:
    found = best_beta(np.full(k, float(a)), np.full(k, float(b)))
    assert found == pytest.approx(np.full(k, 1.0 / k), abs=1e-12)


@pytest.mark.parametrize("k", [2, 30, 2000])
def test_wild_arms(k: int) -> None:
    dice = np.random.default_rng(k)

    def spread(low: float, high: float) -> FloatArray:
        return np.exp(dice.uniform(math.log(low), math.log(high), k))

    scale = spread(1e-6, 1e6)
    assert is_a_distribution(best_beta(spread(0.01, 1e8), spread(0.01, 1e8)))
    assert is_a_distribution(best_beta(spread(0.01, 2.0), spread(0.01, 2.0)))
    assert is_a_distribution(best_gamma(spread(0.01, 1e8), spread(1e-6, 1e6)))
    assert is_a_distribution(best_gamma(spread(0.01, 2.0), spread(0.01, 2.0)))
    assert is_a_distribution(best_student(dice.normal(size=k) * scale, scale, spread(0.5, 1e9)))
    assert is_a_distribution(best_student(dice.normal(size=k) * 1e6, np.ones(k), spread(0.5, 5)))


def test_the_slow_way_agrees() -> None:
    """Distribution functions from special functions on shorter panels: no spectral integration."""
    a, b = np.array([0.02, 0.5, 40.0, 9e3]), np.array([0.02, 0.6, 30.0, 7e3])
    beta = BetaCurves(2e3, -40.0, a, b)
    slow = panels._integrals(beta, 0.5, slow=True)
    assert slow == pytest.approx(best_beta(a, b), abs=CLOSE)
    gamma = GammaCurves(20.0, -3e3, a, b)
    slow = panels._integrals(gamma, 0.5, slow=True)
    assert slow == pytest.approx(best_gamma(a, b), abs=CLOSE)
    student = StudentCurves(
        1e9, -1e9, np.array([0.0, 1.0]), np.array([2.0, 1.0]), np.array([3.0, 9])
    )
    slow = panels._integrals(student, 0.5, slow=True)
    fast = best_student(student.location, student.scale, student.df)
    assert slow == pytest.approx(fast, abs=CLOSE)


def test_panels_too_long_are_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[float] = []
    honest = panels._integrals

    def spy(curves: panels.Curves, shortening: float, *, slow: bool) -> FloatArray:
        tried.append(shortening)
        return honest(curves, 6.0 * shortening, slow=slow)

    monkeypatch.setattr(panels, "_integrals", spy)
    a, b = np.array([3.0] * 40), np.array([30.0] * 40)
    assert best_beta(a, b) == pytest.approx(np.full(40, 1 / 40), abs=1e-12)
    assert len(tried) > 1


def test_a_sum_that_is_not_one_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def nonsense(*_: object, **__: object) -> FloatArray:
        return np.array([0.5, 0.4])

    monkeypatch.setattr(panels, "_integrals", nonsense)
    with pytest.raises(ArithmeticError, match=r"sum to 0\.9"):
        best_beta(np.ones(2), np.ones(2))


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        ([], [], "at least one"),
        ([1.0], [1.0, 2.0], "one length"),
        ([[1.0]], [[1.0]], "vectors"),
        ([0.0], [1.0], "a must be positive"),
        ([1.0], [-1.0], "b must be positive"),
        ([math.nan], [1.0], "a must be finite"),
        ([1.0], [math.inf], "b must be finite"),
    ],
)
def test_beta_arms_that_are_none(a: list[float], b: list[float], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        best_beta(np.array(a), np.array(b))


@pytest.mark.parametrize(
    ("location", "scale", "df", "reason"),
    [
        (math.inf, 1.0, 1.0, "location must be finite"),
        (0.0, 0.0, 1.0, "scale must be positive"),
        (0.0, 1.0, 0.0, "df must be positive"),
        (0.0, 1.0, 0.05, "df must be at least"),
    ],
)
def test_student_arms_that_are_none(location: float, scale: float, df: float, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        best_student(np.array([location]), np.array([scale]), np.array([df]))
