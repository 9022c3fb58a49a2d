"""Densities of arms, accurate and cheap at the nodes of short panels.

A node is an edge of its panel plus an offset. Each density is reached in differences, arm to edge
to node, because these stay small: with shapes of 1e8, or scales far below the distance from zero,
direct formulas lose half of their digits.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from croupier.core.arms.panels import FloatArray, Grading

CORE = 2.5
"""Width of the part of an arm that panels of equal length cover, in its scales."""

RATE = 0.4
"""Length of those panels, in cores, and their growth further out. One scale in all: small enough
for the largest of thousands of equal arms, which varies several times faster than each of them."""

POWER_TAIL_RATE = 0.8
"""The same for df ≤ 3: such tails are smooth over panels that double, and reach very far."""


@dataclass(frozen=True, slots=True)
class BetaCurves:
    """Beta arms on the axis z = log(x / (1 - x)), with density x^a (1 - x)^b / B(a, b)."""

    top: float
    bottom: float
    a: FloatArray
    b: FloatArray

    def grading(self) -> Grading:
        """Scales of Beta(a + 1, b + 1), which lies where a shape below one has its steep edge."""
        a, b = self.a + 1.0, self.b + 1.0
        return Grading(
            np.log(a) - np.log(b), CORE * np.sqrt(1.0 / a + 1.0 / b), np.full(len(a), RATE)
        )

    def survival(self) -> FloatArray:
        """Nothing: the top lies beyond all that counts."""
        return np.zeros(len(self.a))

    def density(self, edges: FloatArray, offsets: FloatArray) -> FloatArray:
        """Densities by log f(node) = log f(mode) + rise to the edge + rise to the node."""
        a, b = self.a[:, None], self.b[:, None]
        mode = np.log(a) - np.log(b)
        at_edge = a * _log_expit_rise(mode, edges - mode)
        at_edge += b * _log_expit_rise(-mode, mode - edges)
        at_edge += _log_peak(a, b)
        start = edges[:, None]
        result = np.multiply.outer(self.a, _log_expit_rise(start, offsets))
        result += np.multiply.outer(self.b, _log_expit_rise(-start, -offsets))
        result += at_edge[:, :, None]
        return np.exp(result, out=result)

    def distribution(self, edges: FloatArray, offsets: FloatArray) -> FloatArray:
        """The regularised incomplete beta function."""
        z = edges[:, None] + offsets
        a, b = self.a[:, None, None], self.b[:, None, None]
        return np.where(z < 0.0, _beta_lower_tail(a, b, z), 1.0 - _beta_lower_tail(b, a, -z))


@dataclass(frozen=True, slots=True)
class GammaCurves:
    """Gamma arms on the axis z = log x, with density exp(a log(bx) - bx) / Γ(a)."""

    top: float
    bottom: float
    a: FloatArray
    b: FloatArray

    def grading(self) -> Grading:
        """Scales of Gamma(a + 1, b), which lies where a shape below one has its steep edge."""
        a = self.a + 1.0
        return Grading(np.log(a) - np.log(self.b), CORE / np.sqrt(a), np.full(len(a), RATE))

    def survival(self) -> FloatArray:
        """Nothing: the top lies beyond all that counts."""
        return np.zeros(len(self.a))

    def density(self, edges: FloatArray, offsets: FloatArray) -> FloatArray:
        """Densities by log f = log f(mode) + rise to the edge + rise to the node.

        With d the distance from the mode, f falls by exp(a (d + 1 - exp(d))).
        """
        a = self.a[:, None]
        d = np.minimum(edges - (np.log(self.a) - np.log(self.b))[:, None], 600.0)
        at_edge = a * (d - np.expm1(d)) + 0.5 * np.log(a / (2.0 * np.pi)) - _stirling_rest(a)
        result = np.multiply.outer(self.a, offsets)
        result -= a[:, :, None] * _exp_rise(d[:, :, None], offsets)
        result += at_edge[:, :, None]
        return np.exp(result, out=result)

    def distribution(self, edges: FloatArray, offsets: FloatArray) -> FloatArray:
        """The regularised incomplete gamma function; a power of x where x underflows."""
        a = self.a[:, None, None]
        z = np.add.outer(np.log(self.b), edges[:, None] + offsets)
        near = special.gammainc(a, np.exp(np.clip(z, -600.0, 700.0)))
        return np.asarray(near * np.exp(a * np.minimum(z + 600.0, 0.0)))


@dataclass(frozen=True, slots=True)
class StudentCurves:
    """Student-t arms, location + scale · t(df)."""

    top: float
    bottom: float
    location: FloatArray
    scale: FloatArray
    df: FloatArray

    def grading(self) -> Grading:
        """The arms' scales, or the distance to the density's poles at ± i √df where shorter."""
        core = CORE * self.scale * np.minimum(1.0, np.sqrt(self.df) / 3.0)
        # No panel can be shorter than the spacing of floating-point numbers at the arm.
        core = np.maximum(core, 1e-13 * np.abs(self.location))
        return Grading(self.location, core, np.where(self.df <= 3.0, POWER_TAIL_RATE, RATE))

    def survival(self) -> FloatArray:
        """P(arm > top)."""
        return np.asarray(special.stdtr(self.df, (self.location - self.top) / self.scale))

    def density(self, edges: FloatArray, offsets: FloatArray) -> FloatArray:
        """exp(c - (df + 1) / 2 · log(1 + t² / df)) with c = -log(scale √df B(df / 2, 1 / 2))."""
        half, width = self.df / 2.0, self.scale * np.sqrt(self.df)
        c = _log_peak(half, np.full_like(half, 0.5)) - np.log(width)
        c += half * np.log1p(1.0 / self.df) + 0.5 * np.log1p(self.df)
        result = np.multiply.outer(1.0 / width, offsets)
        result += ((edges - self.location[:, None]) / width[:, None])[:, :, None]
        np.multiply(result, result, out=result)
        np.log1p(result, out=result)
        result *= -(half + 0.5)[:, None, None]
        result += c[:, None, None]
        return np.exp(result, out=result)

    def distribution(self, edges: FloatArray, offsets: FloatArray) -> FloatArray:
        """Student's distribution function."""
        distance = (edges - self.location[:, None])[:, :, None] + offsets
        t = distance / self.scale[:, None, None]
        return np.asarray(special.stdtr(self.df[:, None, None], t))


def _log_expit_rise(start: FloatArray, shift: FloatArray) -> FloatArray:
    """log(expit(start + shift) / expit(start)); short shifts keep all their digits."""
    short = -np.log1p(special.expit(-start) * np.expm1(-np.clip(shift, -1.0, 1.0)))
    long = special.log_expit(start + shift) - special.log_expit(start)
    return np.asarray(np.where(np.abs(shift) < 1.0, short, long))


def _exp_rise(start: FloatArray, shift: FloatArray) -> FloatArray:
    """exp(start + shift) - exp(start) for shifts up; short ones keep all their digits."""
    short = np.exp(start) * np.expm1(np.minimum(shift, 1.0))
    if shift.max() < 1.0:
        return np.asarray(short)
    long = np.exp(np.minimum(start + shift, 600.0)) - np.exp(start)
    return np.where(shift < 1.0, short, long)


def _log_peak(a: FloatArray, b: FloatArray) -> FloatArray:
    """log(p^a q^b / B(a, b)), p = a / (a + b), q = 1 - p, by Stirling: large terms cancel out."""
    n = a + b
    rest = _stirling_rest(n) - _stirling_rest(a) - _stirling_rest(b)
    return np.asarray(0.5 * np.log(a / n * b / (2.0 * np.pi)) + rest)


def _stirling_rest(x: FloatArray) -> FloatArray:
    """The rest log Γ(x) - ((x - 1/2) log x - x + log(2π) / 2), about 1 / (12 x)."""
    large, small = np.maximum(x, 15.0), np.minimum(x, 15.0)
    w = 1.0 / (large * large)
    series = (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w / 1188)))) / large
    direct = special.gammaln(small) - (small - 0.5) * np.log(small) + small
    return np.where(x < 15.0, direct - 0.5 * np.log(2.0 * np.pi), series)


def _beta_lower_tail(a: FloatArray, b: FloatArray, z: FloatArray) -> FloatArray:
    """P(logit X < z) for X of Beta(a, b) and z ≤ 0; a power of exp(z) where X underflows."""
    near = special.betainc(a, b, special.expit(np.clip(z, -600.0, 0.0)))
    return np.asarray(near * np.exp(a * np.minimum(z + 600.0, 0.0)))
