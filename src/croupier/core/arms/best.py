"""The probability that an arm is the best one, for each arm, by quadrature.

Drawing arms with these probabilities is Thompson sampling (Thompson 1933, "On the likelihood that
one unknown probability exceeds another in view of the evidence of two samples"), and they are the
propensities to log. They are integrals, not counts of draws: a rare arm keeps its true share.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from croupier.core.arms.curves import BetaCurves, GammaCurves, StudentCurves
from croupier.core.arms.panels import FloatArray, probabilities_of_maximum

NEGLIGIBLE = 30.0
"""Minus the logarithm of a probability that may be left out: 1e-13."""

FAR_TAIL = 14.0
"""The same above the panels of heavy tails, 1e-6: only its square is left out there."""

FEWEST_DEGREES = 0.1
"""Heavier tails than Student's with so many degrees leave the range of floating-point numbers."""

NORMAL_DEGREES = 1e12
"""With so many, Student's distribution is normal to the last digit."""


def best_beta(a: FloatArray, b: FloatArray) -> FloatArray:
    """P(arm i is best) for independent arms, arm i distributed as Beta(a_i, b_i).

    P_i = ∫ f_i(x) Π_{j≠i} F_j(x) dx, on the axis log(x / (1 - x)), where shapes below one have no
    singular ends. Absolute error below 1e-9 for shapes from 0.01 to 1e8. Shapes: (K,), (K,) → (K,).

    Raises:
        ValueError: if the vectors differ in length, are empty, or hold a number that is not finite
            and positive.
        ArithmeticError: if the probabilities do not sum to one (not seen in these ranges).

    Source: Thompson 1933; the quadrature is in `panels`. The four headlines of an Upworthy test:

    >>> clicks, impressions = np.array([73, 58, 62, 93]), np.array([3725, 3735, 3668, 3694])
    >>> best_beta(1.0 + clicks, 1.0 + impressions - clicks).round(4).tolist()
    [0.0515, 0.001, 0.0051, 0.9425]
    """
    a, b = _vectors(a=a, b=b)
    _require_positive(a=a, b=b)
    mode = np.log(a) - np.log(b)
    upper = mode + _logit_reach(a, b, NEGLIGIBLE + np.log(len(a)))
    lower = mode - _logit_reach(b, a, NEGLIGIBLE)
    bottom = float(lower.max())
    rivals = upper > bottom
    curves = BetaCurves(float(upper.max()), bottom, a[rivals], b[rivals])
    return _spread(probabilities_of_maximum(curves), rivals)


def best_gamma(a: FloatArray, b: FloatArray) -> FloatArray:
    """P(arm i is best) for independent arms, arm i distributed as Gamma(a_i), at rate b_i.

    P_i = ∫ f_i(x) Π_{j≠i} F_j(x) dx, on the axis log x. Absolute error below 1e-9 for shapes from
    0.01 to 1e8, at any rates. Shapes: (K,), (K,) → (K,).

    Raises:
        ValueError: if the vectors differ in length, are empty, or hold a number that is not finite
            and positive.
        ArithmeticError: if the probabilities do not sum to one (not seen in these ranges).

    Source: Thompson 1933; the quadrature is in `panels`. Two arms of one rate, for which
    P = 1 - I_{1/2}(a_1, a_2) is known: 3 and 2 events, with P = 11/16:

    >>> best_gamma(np.array([3.0, 2.0]), np.array([7.0, 7.0])).round(4).tolist()
    [0.6875, 0.3125]
    """
    a, b = _vectors(a=a, b=b)
    _require_positive(a=a, b=b)
    # Chernoff, with D = a (t - 1 - log t) at t times the mean, solved for log t on either side.
    mode = np.log(a) - np.log(b)
    above = (NEGLIGIBLE + np.log(len(a))) / a
    upper = mode + np.log1p(above + np.sqrt(2.0 * above))
    below = NEGLIGIBLE / a
    lower = mode - 0.5 * (below + np.sqrt(below * (below + 8.0)))
    bottom = float(lower.max())
    rivals = upper > bottom
    curves = GammaCurves(float(upper.max()), bottom, a[rivals], b[rivals])
    return _spread(probabilities_of_maximum(curves), rivals)


def best_student(location: FloatArray, scale: FloatArray, df: FloatArray) -> FloatArray:
    """P(arm i is best) for independent arms, arm i distributed as location_i + scale_i · t(df_i).

    P_i = ∫ f_i(x) Π_{j≠i} F_j(x) dx. With df of 1e9 and more an arm is normal. Absolute error below
    1e-9 for df from 0.5 and scales over 12 decades. Shapes: (K,), (K,), (K,) → (K,).

    Raises:
        ValueError: if the vectors differ in length, are empty, or hold a number that is not finite,
            a scale that is not positive, or a df below 0.1.
        ArithmeticError: if the probabilities do not sum to one (not seen in these ranges).

    Source: Thompson 1933; Student 1908, "The probable error of a mean"; the quadrature is in
    `panels`. Two Cauchy arms, for which P = 1/2 + arctan(1/2) / π is known:

    >>> best_student(np.array([1.0, 0.0]), np.ones(2), np.ones(2)).round(4).tolist()
    [0.6476, 0.3524]
    """
    location, scale, df = _vectors(location=location, scale=scale, df=df)
    _require_positive(scale=scale, df=df)
    if df.min() < FEWEST_DEGREES:
        raise ValueError(f"df must be at least {FEWEST_DEGREES}, got {df.min()}")
    df = np.minimum(df, NORMAL_DEGREES)
    lower = location - scale * _student_reach(df, NEGLIGIBLE)
    leader = int(lower.argmax())
    # In units of the leader, where the contest is, numbers keep all their digits.
    location, scale = (location - location[leader]) / scale[leader], scale / scale[leader]
    bottom = -float(_student_reach(df, NEGLIGIBLE)[leader])
    many = np.log(len(df))
    rivals = location + scale * _student_reach(df, NEGLIGIBLE + many) > bottom
    top = float((location + scale * _student_reach(df, FAR_TAIL + many)).max())
    curves = StudentCurves(top, bottom, location[rivals], scale[rivals], df[rivals])
    return _spread(probabilities_of_maximum(curves), rivals)


def _logit_reach(a: FloatArray, b: FloatArray, ignored: float) -> FloatArray:
    """A d such that P(logit X > log(a / b) + d) ≤ exp(-ignored) for X of Beta(a, b).

    Chernoff, X being a ratio of gamma variables: the probability is at most exp(-D) with
    D = a log(q exp(-d) + p) + b log(p exp(d) + q), p = a / (a + b), q = 1 - p. Two lower bounds of
    D are solved for d: v d² / (2 + d), v = ab / (a + b), tight for large shapes, and
    a log(p) + b log(p exp(d) + q), tight for a small a.
    """
    v = a / (a + b) * b
    smooth = (ignored + np.sqrt(ignored * (ignored + 8.0 * v))) / (2.0 * v)
    log_p = -np.log1p(b / a)
    exponent = (ignored - a * log_p) / b
    steep = np.log1p(np.expm1(np.minimum(exponent, 700.0)) * np.exp(-log_p))
    return np.minimum(smooth, np.where(exponent < 700.0, steep, np.inf))


def _student_reach(df: FloatArray, ignored: float) -> FloatArray:
    """A t such that P(T > t) ≤ exp(-ignored), by P(T > t) ≤ (1 + t² / df)^(-df / 2) for t ≥ 1."""
    growth = np.expm1(np.minimum(2.0 * ignored / df, 700.0))
    return np.asarray(np.sqrt(df * growth))


def _spread(shares: FloatArray, rivals: NDArray[np.bool_]) -> FloatArray:
    """The rivals' shares at their places among all arms, zero for the others."""
    result = np.zeros(len(rivals))
    result[rivals] = shares
    return result


def _vectors(**named: ArrayLike) -> list[FloatArray]:
    vectors = [np.asarray(value, dtype=np.float64) for value in named.values()]
    if any(vector.ndim != 1 or vector.shape != vectors[0].shape for vector in vectors):
        raise ValueError(f"{', '.join(named)} must be vectors of one length")
    if not len(vectors[0]):
        raise ValueError("at least one arm is needed")
    for name, vector in zip(named, vectors, strict=True):
        if not np.isfinite(vector).all():
            raise ValueError(f"{name} must be finite")
    return vectors


def _require_positive(**named: FloatArray) -> None:
    for name, vector in named.items():
        if vector.min() <= 0.0:
            raise ValueError(f"{name} must be positive, got {vector.min()}")
