"""Stratified samples of a joint posterior, at the same levels at each refresh."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special

from croupier.core.arms.panels import FloatArray

Order = NDArray[np.intp]

_NODES, _REACH = 65, 4.2
"""Quantiles are taken at so many levels, equally far apart on the normal scale, up to ±4.2 σ."""


class Quantiles(Protocol):
    """Whatever knows the quantiles of each arm's expected reward."""

    def at(self, levels: FloatArray) -> FloatArray:
        """Quantiles at these levels, shape (K, L)."""


class Strata(NamedTuple):
    """M joint samples of K arms: sample m of arm k is its quantile at level (π_k(m) + ½)/M.

    π_k is a permutation that depends on the experiment and the arm's number only. So each arm's
    samples cover its posterior evenly, arms are independent of each other, an arm's samples are
    the same whichever others are sampled with it, and they move little when its posterior does.
    `order` holds π, shape (K, M).

    Source: McKay, Beckman & Conover 1979, A Comparison of Three Methods for Selecting Values of
    Input Variables in the Analysis of Output from a Computer Code (Latin hypercube sampling).
    """

    order: Order

    @classmethod
    def of(cls, experiment: str, arms: Iterable[int], size: int) -> Self:
        """The strata of an experiment's arms (their numbers), for M = `size` samples.

        >>> Strata.of("top-button", (0, 1), 8).order.tolist()
        [[6, 2, 3, 5, 0, 1, 7, 4], [5, 1, 4, 0, 3, 7, 6, 2]]
        """
        name = experiment.encode()
        return cls(np.array([_permutation(b"%d.%s" % (arm, name), size) for arm in arms]))

    def reordered(self, slot: int) -> "Strata":
        """The same samples in another order: independent of those for the other slots."""
        size = self.order.shape[1]
        return self if slot == 0 else Strata(self.order[:, _permutation(b"slot %d" % slot, size)])

    @property
    def keys(self) -> Order:
        """A random order of the arms in each sample, shape (M, K): breaks ties."""
        return np.ascontiguousarray(self.order.T)

    def sample(self, posterior: Quantiles) -> FloatArray:
        """Plausible expected rewards, shape (M, K); a row is one draw from the joint posterior.

        Between nodes quantiles are interpolated; the error is below 1 % of a posterior's own
        width. What is drawn from is published and counted, so no propensity depends on it.

        >>> from croupier.core.arms.bernoulli import Beta
        >>> drawn = Strata.of("b", (0, 1), 1024).sample(Beta((2.0, 3.0), (8.0, 7.0)))
        >>> drawn.mean(axis=0).round(3).tolist(), drawn.std(axis=0).round(3).tolist()
        ([0.2, 0.3], [0.121, 0.138])
        """
        arms, size = self.order.shape
        z = special.ndtri((np.arange(size) + 0.5) / size)
        nodes = np.linspace(-_REACH, _REACH, _NODES)
        place = (z + _REACH) * ((_NODES - 1) / (2.0 * _REACH))
        left = place.astype(np.intp)
        known = posterior.at(special.ndtr(nodes))
        rise = np.diff(known, axis=1)[:, left] * (place - left)
        levels = known[:, left] + rise
        drawn = np.empty((size, arms))
        np.copyto(drawn, np.take_along_axis(levels, self.order, axis=1).T)
        return drawn


def _permutation(text: bytes, size: int) -> Order:
    seed = int.from_bytes(blake2b(text, digest_size=16, person=b"croupier-strata").digest(), "big")
    return np.random.Generator(np.random.PCG64(seed)).permutation(size)
