"""Give each arm the probability that it is the best, exactly.

Drawing an arm with these probabilities is Thompson sampling (Thompson 1933, "On the likelihood that
one unknown probability exceeds another in view of the evidence of two samples"), and they are the
propensities to log. They are integrals, not counts of draws: rare arms keep their true share.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # type: ignore[import-untyped]

from croupier.core.arms.panels import FloatArray, Grading, probabilities_of_maximum

NEGLIGIBLE: Final = 30.0  # minus the logarithm of a probability that may be ignored, 1e-13
FAR_TAIL: Final = 14.0  # the same where a tail's exact probability is used, so that only its
# square is ignored
CORE: Final = 2.5
RATE: Final = 0.4
HEAVY = 3.0
HR = 0.7
LIM = 6.0
FEWEST_DEGREES: Final = 0.1


def best_beta(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return P(arm i is best) for independent Beta(a_i, b_i) arms.

    P_i = integral of f_i(x) * product over j != i of F_j(x) dx, on the axis log(x / (1 - x)), where
    shapes below one have no singular ends. Shapes: (K,), (K,) -> (K,).

    Raises:
        ValueError: if the shapes differ, no arm is given, or a number is not finite and positive.

    Source: Thompson 1933; Gauss-Legendre panels, see `panels`.

    >>> clicks, impressions = np.array([73, 58, 62, 93]), np.array([3725, 3735, 3668, 3694])
    >>> best_beta(clicks + 1.0, impressions - clicks + 1.0).round(4).tolist()
    [0.0515, 0.001, 0.0051, 0.9425]
    """
    a, b = _vectors(a=a, b=b)
    _require_positive(a=a, b=b)
    ignored = NEGLIGIBLE + np.log(len(a))
    mode = np.log(a) - np.log(b)
    upper = mode + _logit_reach(a, b, ignored)
    lower = mode - _logit_reach(b, a, NEGLIGIBLE)
    bottom = float(lower.max())
    rivals = upper > bottom
    curves = BetaCurves(float(upper.max()), bottom, a[rivals], b[rivals])
    return _scatter(probabilities_of_maximum(curves), rivals)


def best_student(location: FloatArray, scale: FloatArray, df: FloatArray) -> FloatArray:
    """Return P(arm i is best) for independent Student-t arms, location + scale * t(df).

    P_i = integral of f_i(x) * product over j != i of F_j(x) dx. A df of 1e9 or more is a normal
    distribution. Shapes: (K,), (K,), (K,) -> (K,).

    Raises:
        ValueError: if the shapes differ, no arm is given, a number is not finite, a scale is not
            positive, or df < 0.1 (such tails exceed the range of floating-point numbers).

    Source: Thompson 1933; Gauss-Legendre panels, see `panels`; Student 1908, "The probable error
    of a mean".

    >>> best_student(np.array([0.0, 1.0]), np.ones(2), np.array([1.0, 1.0])).round(4).tolist()
    [0.3524, 0.6476]
    """
    location, scale, df = _vectors(location=location, scale=scale, df=df)
    _require_positive(scale=scale, df=df)
    if df.min() < FEWEST_DEGREES:
        message = f"df must be at least {FEWEST_DEGREES}, got {df.min()!r}"
        raise ValueError(message)
    ignored = np.log(len(df))
    lower = location - scale * _student_reach(df, NEGLIGIBLE)
    leader = int(lower.argmax())
    # Around the leader, where the contest is, numbers keep all their digits.
    centre = location - location[leader]
    bottom = float(lower[leader] - location[leader])
    rivals = centre + scale * _student_reach(df, NEGLIGIBLE + ignored) > bottom
    top = float((centre + scale * _student_reach(df, FAR_TAIL + ignored)).max())
    curves = StudentCurves(top, bottom, centre[rivals], scale[rivals], df[rivals])
    return _scatter(probabilities_of_maximum(curves), rivals)


@dataclass(frozen=True, slots=True)
class BetaCurves:
    """Beta arms on the logit axis z = log(x / (1 - x)): density x^a (1 - x)^b / B(a, b)."""

    top: float
    bottom: float
    a: FloatArray
    b: FloatArray

    def grading(self) -> Grading:
        """Return scales of Beta(a + 1, b + 1), whose logit stays where shapes < 1 have an edge."""
        a, b = self.a + 1.0, self.b + 1.0
        return Grading(np.log(a / b), CORE * np.sqrt(1.0 / a + 1.0 / b), np.full(len(a), RATE))

    def survival(self, at: float) -> FloatArray:  # noqa: ARG002
        """Return zeros: the top lies beyond all that counts."""
        return np.zeros(len(self.a))

    def density(self, edges: FloatArray, offsets: FloatArray) -> FloatArray:
        """Return densities by differences: from an arm's mode to an edge, then to the points.

        For shapes of 1e8 the plain a * log(x) + b * log(1 - x) would lose half of its digits.
        """
        mode = (np.log(self.a) - np.log(self.b))[:, None]
        start = edges[:, None]
        at_edge = _log_peak(self.a, self.b)[:, None]
        at_edge = at_edge + self.a[:, None] * _log_expit_rise(mode, edges - mode)
        at_edge += self.b[:, None] * _log_expit_rise(-mode, mode - edges)
        result = np.multiply.outer(self.a, _log_expit_rise(start, offsets))
        result += np.multiply.outer(self.b, _log_expit_rise(-start, -offsets))
        result += at_edge[:, :, None]
        return np.exp(result, out=result)

    def distribution(self, edges: FloatArray, offsets: FloatArray) -> FloatArray:
        """Return the regularised incomplete beta function."""
        logit = edges[:, None] + offsets
        a, b = self.a[:, None, None], self.b[:, None, None]
        return np.where(logit < 0.0, _lower_tail(a, b, logit), 1.0 - _lower_tail(b, a, -logit))


@dataclass(frozen=True, slots=True)
class StudentCurves:
    """Student-t arms on their own axis."""

    top: float
    bottom: float
    location: FloatArray
    scale: FloatArray
    df: FloatArray

    def grading(self) -> Grading:
        """Return scales that keep panels as short as the distance to the poles at i * sqrt(df)."""
        heavy = np.minimum(1.0, np.sqrt(self.df) / HEAVY)
        core = CORE * self.scale * heavy
        # A scale below the spacing of floating-point numbers cannot be seen by any panel.
        core = np.maximum(core, 1e-13 * np.abs(self.location))
        return Grading(self.location, core, np.where(self.df < LIM, HR, RATE))

    def survival(self, at: float) -> FloatArray:
        """Return P(arm > at)."""
        return np.asarray(special.stdtr(self.df, (self.location - at) / self.scale))

    def density(self, edges: FloatArray, offsets: FloatArray) -> FloatArray:
        """Return exp(c - (df + 1) / 2 * log(1 + t² / df)), t measured from each panel's edge."""
        half = self.df / 2.0
        log_beta = 0.5 * np.log1p(self.df) + half * np.log1p(1.0 / self.df)
        constant = _log_peak(half, np.full_like(half, 0.5)) + log_beta
        constant -= 0.5 * np.log(self.df) + np.log(self.scale)
        unit = 1.0 / (self.scale * np.sqrt(self.df))
        result = np.multiply.outer(unit, offsets)
        result += ((edges - self.location[:, None]) * unit[:, None])[:, :, None]
        np.multiply(result, result, out=result)
        np.log1p(result, out=result)
        result *= -(half + 0.5)[:, None, None]
        result += constant[:, None, None]
        return np.exp(result, out=result)

    def distribution(self, edges: FloatArray, offsets: FloatArray) -> FloatArray:
        """Return Student's distribution function."""
        t = (edges - self.location[:, None])[:, :, None] + offsets
        return np.asarray(special.stdtr(self.df[:, None, None], t / self.scale[:, None, None]))


def _lower_tail(a: FloatArray, b: FloatArray, logit: FloatArray) -> FloatArray:
    """Return P(logit X < logit) for X of Beta(a, b) where logit <= 0, even where X underflows."""
    inner = special.betainc(a, b, special.expit(np.clip(logit, -600.0, 0.0)))
    return np.asarray(inner * np.exp(a * np.minimum(logit + 600.0, 0.0)))


def _logit_reach(a: FloatArray, b: FloatArray, ignored: float) -> FloatArray:
    """Return d such that P(logit X > log(a / b) + d) <= exp(-ignored) for X of Beta(a, b).

    Chernoff: the probability is at most exp(-D), D = a log(q e^-d + p) + b log(p e^d + q) with
    p = a / (a + b), q = 1 - p. Two lower bounds of D are solved, one tight for large shapes, one
    for a small a: D >= v d² / (2 + d), v = ab / (a + b), and D >= a log p + b log(p e^d + q).
    """
    v = a * b / (a + b)
    smooth = (ignored + np.sqrt(ignored * (ignored + 8.0 * v))) / (2.0 * v)
    log_p = -np.log1p(b / a)
    exponent = np.minimum((ignored - a * log_p) / b, 700.0)
    steep = np.log1p(np.expm1(exponent) * np.exp(-log_p))
    return np.minimum(smooth, np.where(exponent < 700.0, steep, np.inf))


def _student_reach(df: FloatArray, ignored: float) -> FloatArray:
    """Return t such that P(T > t) <= exp(-ignored), by P(T > t) <= (1 + t² / df)^(-df / 2)."""
    degrees = np.minimum(df, 1e12)
    return np.sqrt(degrees * np.expm1(np.minimum(2.0 * ignored / degrees, 700.0)))


def _log_peak(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return log(p^a q^b / B(a, b)), p = a / (a + b), without differences of large numbers."""
    n = a + b
    return np.asarray(
        0.5 * np.log(a / n * b / (2.0 * np.pi))
        + _stirling_rest(n)
        - _stirling_rest(a)
        - _stirling_rest(b)
    )


def _stirling_rest(x: FloatArray) -> FloatArray:
    """Return log Gamma(x) - ((x - 1/2) log x - x + log(2 pi) / 2), which is about 1 / (12 x)."""
    y = np.maximum(x, 15.0)
    w = 1.0 / (y * y)
    series = (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w / 1188)))) / y
    small = np.minimum(x, 15.0)
    direct = special.gammaln(small) - (small - 0.5) * np.log(small) + small
    return np.where(x < 15.0, direct - 0.5 * np.log(2.0 * np.pi), series)


def _log_expit_rise(start: FloatArray, shift: FloatArray) -> FloatArray:
    """Return log(expit(start + shift) / expit(start)); small shifts keep all their digits."""
    near = -np.log1p(special.expit(-start) * np.expm1(-np.clip(shift, -1.0, 1.0)))
    far = special.log_expit(start + shift) - special.log_expit(start)
    return np.where(np.abs(shift) < 1.0, near, far)


def _scatter(shares: FloatArray, rivals: NDArray[np.bool_]) -> FloatArray:
    """Return the shares at the rivals' places, zero elsewhere."""
    result = np.zeros(len(rivals))
    result[rivals] = shares
    return result


def _vectors(**named: ArrayLike) -> list[FloatArray]:
    """Return float vectors of one common length, or say what is wrong."""
    vectors = [np.asarray(value, dtype=np.float64) for value in named.values()]
    if any(vector.ndim != 1 or vector.shape != vectors[0].shape for vector in vectors):
        message = f"{', '.join(named)} must be vectors of one length"
        raise ValueError(message)
    if not len(vectors[0]):
        message = "at least one arm is needed"
        raise ValueError(message)
    for name, vector in zip(named, vectors, strict=True):
        if not np.isfinite(vector).all():
            message = f"{name} must be finite"
            raise ValueError(message)
    return vectors


def _require_positive(**named: FloatArray) -> None:
    for name, vector in named.items():
        if vector.min() <= 0.0:
            message = f"{name} must be positive, got {vector.min()!r}"
            raise ValueError(message)
