"""Integrate "this arm beats all others" over panels that fit every arm.

With densities f_i and distribution functions F_i of independent arms,

    P(arm i is best) = integral of f_i(x) * product over j != i of F_j(x) dx.

Only densities are evaluated, at Gauss-Legendre nodes of short panels. Each F_i then follows from
its own density by the panel's spectral integration matrix (Greengard 1991, "Spectral integration
and two-point boundary value problems"), summed from the top, because special functions cost a
hundred times more than an exponential. The product of all F_j is formed once, and each arm's own
factor is divided out again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

NODES: Final = 12
BLOCK: Final = 65_536  # numbers per block: fits a second-level cache, and bounds memory
SETTLED: Final = 1e-13  # probability that may be left below the last panel
TINY: Final = 1e-30  # keeps "divide out own factor" finite; real factors this small do not matter
TOLERANCE: Final = 1e-8  # how far the raw probabilities may be from summing to one
MOST_PANELS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Grading:
    """How finely each arm must be seen, as one coordinate per arm: asinh((x - centre) / core).

    Panels of one `rate` in that coordinate have length rate * core near the centre and grow in
    proportion to the distance further out. All shapes (K,).
    """

    centre: FloatArray
    core: FloatArray
    rate: FloatArray


class Curves(Protocol):
    """The arms' distributions on a common axis; `top` and `bottom` enclose the contest."""

    top: float
    bottom: float

    def grading(self) -> Grading:
        """Return the length scales that panels must respect."""

    def survival(self, at: float) -> FloatArray:
        """Return P(arm > at), shape (K,)."""

    def density(self, edges: FloatArray, offsets: FloatArray) -> FloatArray:
        """Return densities at edges (P,) plus offsets (P, N), shape (K, P, N)."""

    def distribution(self, edges: FloatArray, offsets: FloatArray) -> FloatArray:
        """Return P(arm <= x) at the same points, from special functions: slow and independent."""


def probabilities_of_maximum(curves: Curves) -> FloatArray:
    """Return P(arm i is the largest), shape (K,), refining until the parts sum to one.

    The sum is an error estimate that costs nothing. Panels are shortened while it is off; at last
    the distribution functions are taken from special functions instead of from the densities.

    Raises:
        ArithmeticError: if even that does not sum to one.
    """
    for shortening, exact in ((1.0, False), (0.5, False), (0.25, False), (0.25, True)):
        raw = _integrate(curves, shortening, exact=exact)
        total = float(raw.sum())
        if abs(total - 1.0) < TOLERANCE and raw.min() > -TOLERANCE:
            shares = np.maximum(raw, 0.0)
            return np.asarray(shares / shares.sum())
    message = f"probabilities of being best sum to {total!r}, not to one"
    raise ArithmeticError(message)


def _integrate(curves: Curves, shortening: float, *, exact: bool) -> FloatArray:
    """Return the unnormalised integrals, going down from the top until nothing is left below."""
    edges = panel_edges(curves.grading(), curves.top, curves.bottom, shortening)
    above = curves.survival(curves.top)
    # Above the top all others are almost surely lower, so an arm's own tail is its share there.
    wins = above.copy()
    for uppers, lowers in _blocks(edges, len(above)):
        widths = uppers - lowers
        offsets = np.multiply.outer(widths, POSITIONS)
        density = curves.density(lowers, offsets)
        density *= widths[:, None]
        masses = density @ WEIGHTS
        masses_above = above[:, None] + np.cumsum(masses, axis=1)
        if exact:
            below = curves.distribution(lowers, offsets)
        else:
            below = density @ TO_UPPER_EDGE.T
            below += (masses_above - masses)[:, :, None]
            np.subtract(1.0, below, out=below)
        np.maximum(below, TINY, out=below)
        everyone_below = below.prod(axis=0)
        everyone_below *= WEIGHTS
        density /= below
        wins += density.reshape(len(above), -1) @ everyone_below.ravel()
        above = masses_above[:, -1]
        if np.maximum(1.0 - above, 0.0).prod() < SETTLED:
            break
    return wins


def panel_edges(grading: Grading, top: float, bottom: float, shortening: float = 1.0) -> FloatArray:
    """Return descending edges from top to bottom, no panel longer than any arm's scale allows.

    With t = (x - centre) / core, going down by h in asinh(t) leads to t * cosh h - sqrt(1 + t²) *
    sinh h; the arm that asks for the shortest panel decides.
    """
    centre, core = grading.centre, grading.core
    grow, shrink = np.cosh(grading.rate * shortening), np.sinh(grading.rate * shortening)
    edges = [top]
    while edges[-1] > bottom:
        distance = edges[-1] - centre
        ahead = distance * grow - np.sqrt(core * core + distance * distance) * shrink
        edges.append(max(float((centre + ahead).max()), bottom))
        if len(edges) > MOST_PANELS:
            message = f"more than {MOST_PANELS} panels between {bottom!r} and {top!r}"
            raise ArithmeticError(message)
    return np.array(edges)


def _blocks(edges: FloatArray, arms: int) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield upper and lower edges of as many panels at once as a block may hold."""
    size = max(1, BLOCK // (arms * NODES))
    for start in range(0, len(edges) - 1, size):
        stop = min(start + size, len(edges) - 1)
        yield edges[start:stop], edges[start + 1 : stop + 1]


def _unit_panel() -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return nodes and weights on (0, 1), and the matrix of integrals from each node up to 1.

    Values at Legendre nodes give Legendre coefficients (a discrete orthogonality), and the integral
    of P_k from t to 1 is (P_{k-1}(t) - P_{k+1}(t)) / (2k + 1), or 1 - t for k = 0.
    """
    nodes, weights = legendre.leggauss(NODES)
    values = legendre.legvander(nodes, NODES)
    degrees = np.arange(NODES)
    coefficients = (values[:, :NODES] * weights[:, None]).T * (degrees[:, None] + 0.5)
    integrals = np.empty((NODES, NODES))
    integrals[:, 0] = 1.0 - nodes
    integrals[:, 1:] = (values[:, : NODES - 1] - values[:, 2:]) / (2.0 * degrees[1:] + 1.0)
    return (nodes + 1.0) / 2.0, weights / 2.0, integrals @ coefficients / 2.0


POSITIONS, WEIGHTS, TO_UPPER_EDGE = _unit_panel()
