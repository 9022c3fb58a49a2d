"""Quadrature of "this arm beats all others" on panels that fit every arm.

With densities f_i and distribution functions F_i of independent arms,

    P(arm i is best) = ∫ f_i(x) Π_{j≠i} F_j(x) dx.

Only densities are evaluated, at the Gauss-Legendre nodes of short panels. Each F_i follows from its
own density by the panel's spectral integration matrix (Greengard 1991, "Spectral integration and
two-point boundary value problems"), summed from the top: a special function costs a hundred times
as much as an exponential. The product of all F_j is formed once; each arm's own factor is divided
out again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

NODES = 12
"""Nodes per panel."""

BLOCK = 65_536
"""Numbers evaluated at once: few enough for a processor's cache, and memory stays bounded."""

SETTLED = 1e-13
"""Probability that the best arm lies below the panels done so far, at which the rest is left."""

TINY = 1e-30
"""Least value of an F_i, so that it can be divided out; a true one so small plays no part."""

TOLERANCE = 1e-8
"""How far from one the probabilities may sum before shorter panels are tried."""

MOST_PANELS = 50_000
"""More would mean arms that floating-point numbers cannot tell from points."""


@dataclass(frozen=True, slots=True)
class Grading:
    """How finely each arm must be seen: in steps of `rate` of asinh((x - centre) / core).

    Such panels have the length rate · core near the arm and grow with the distance further out.
    Shapes: (K,).
    """

    centre: FloatArray
    core: FloatArray
    rate: FloatArray


class Curves(Protocol):
    """The distributions of K arms on one axis."""

    @property
    def top(self) -> float:
        """Where the panels begin; at most one arm is higher, almost surely."""

    @property
    def bottom(self) -> float:
        """Where the panels end; some arm is higher, almost surely."""

    def grading(self) -> Grading:
        """How finely each arm must be seen."""

    def survival(self) -> FloatArray:
        """P(arm > top), shape (K,)."""

    def density(self, edges: FloatArray, offsets: FloatArray) -> FloatArray:
        """Densities, shape (K, P, N), at the points edges[:, None] + offsets, shape (P, N)."""

    def distribution(self, edges: FloatArray, offsets: FloatArray) -> FloatArray:
        """P(arm ≤ point) at the same points, slowly, not by way of the densities."""


def probabilities_of_maximum(curves: Curves) -> FloatArray:
    """P(arm i is the highest), shape (K,), by ever shorter panels until they sum to one.

    The sum costs nothing and shows whether the panels were short enough. At last resort the F_i are
    taken from special functions.

    Raises:
        ArithmeticError: if even then the probabilities do not sum to one.
    """
    raw = np.empty(0)
    for shortening, slow in ((1.0, False), (0.5, False), (0.25, False), (0.125, True)):
        raw = _integrals(curves, shortening, slow=slow)
        if abs(raw.sum() - 1.0) < TOLERANCE and raw.min() > -TOLERANCE:
            shares = np.maximum(raw, 0.0)
            return np.asarray(shares / shares.sum())
    raise ArithmeticError(f"the probabilities of being best sum to {raw.sum()}, not to one")


def _integrals(curves: Curves, shortening: float, *, slow: bool) -> FloatArray:
    """∫ f_i Π_{j≠i} F_j for each arm, from the top down until nothing is left below."""
    edges = panel_edges(curves.grading(), curves.top, curves.bottom, shortening)
    above = curves.survival()
    # Above the top an arm meets no rival, so its own tail is its share there.
    wins = above.copy()
    for uppers, lowers in _blocks(edges, len(above)):
        offsets = np.multiply.outer(uppers - lowers, POSITIONS)
        density = curves.density(lowers, offsets)
        density *= (uppers - lowers)[:, None]
        masses = density @ WEIGHTS
        above_panels = above[:, None] + np.cumsum(masses, axis=1)
        if slow:
            cdf = curves.distribution(lowers, offsets)
        else:
            cdf = density @ UP_TO_EDGE.T
            cdf += (above_panels - masses)[:, :, None]
            np.subtract(1.0, cdf, out=cdf)
        np.maximum(cdf, TINY, out=cdf)
        all_below = cdf.prod(axis=0) * WEIGHTS
        density /= cdf
        wins += density.reshape(len(above), -1) @ all_below.ravel()
        above = above_panels[:, -1]
        if np.maximum(1.0 - above, 0.0).prod() < SETTLED:
            break
    return wins


def panel_edges(grading: Grading, top: float, bottom: float, shortening: float = 1.0) -> FloatArray:
    """Edges from top down to bottom, each panel as long as the most demanding arm allows.

    With t = (x - centre) / core, a step of h down from asinh(t) leads to
    t cosh(h) - √(1 + t²) sinh(h); the arm that it leads the least far decides.
    """
    centre, squared = grading.centre, grading.core**2
    cosh, sinh = np.cosh(grading.rate * shortening), np.sinh(grading.rate * shortening)
    edges = [top]
    while edges[-1] > bottom:
        distance = edges[-1] - centre
        reached = centre + distance * cosh - np.sqrt(squared + distance * distance) * sinh
        edges.append(max(float(reached.max()), bottom))
        if len(edges) > MOST_PANELS:
            raise ArithmeticError(f"more than {MOST_PANELS} panels from {top} to {bottom}")
    return np.array(edges)


def _blocks(edges: FloatArray, arms: int) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Upper and lower edges of as many panels as make a block."""
    size = max(1, BLOCK // (arms * NODES))
    uppers, lowers = edges[:-1], edges[1:]
    for start in range(0, len(uppers), size):
        yield uppers[start : start + size], lowers[start : start + size]


def _unit_panel() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Nodes and weights on (0, 1), and the matrix that integrates from each node up to 1.

    Row i, applied to values at the nodes, integrates their polynomial from node i: values give
    Legendre coefficients (the nodes' discrete orthogonality), and the integral of P_k from t to 1
    is (P_{k-1}(t) - P_{k+1}(t)) / (2k + 1), or 1 - t for k = 0.
    """
    nodes, weights = legendre.leggauss(NODES)
    polynomials = legendre.legvander(nodes, NODES)
    degrees = np.arange(NODES)
    coefficients = (degrees[:, None] + 0.5) * (polynomials[:, :-1] * weights[:, None]).T
    integrals = np.empty((NODES, NODES))
    integrals[:, 0] = 1.0 - nodes
    integrals[:, 1:] = (polynomials[:, :-2] - polynomials[:, 2:]) / (2.0 * degrees[1:] + 1.0)
    return (nodes + 1.0) / 2.0, weights / 2.0, integrals @ coefficients / 2.0


POSITIONS, WEIGHTS, UP_TO_EDGE = _unit_panel()
