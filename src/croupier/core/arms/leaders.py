"""The arms that lead in each sample of a joint posterior: enough, and few more."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special

from croupier.core.arms.panels import FloatArray
from croupier.core.arms.strata import Strata

_NODES, _REACH, _COARSE = 65, 4.2, 8
"""Quantiles are known at so many levels, equally far apart on the normal scale, up to ±4.2 σ;
every eighth of them of all arms, those between where they matter."""

_LOOKS = 64
"""So many coarse quantiles of each arm say how high the bar may be."""


class Quantiles(Protocol):
    """Whatever knows the quantiles of each arm's expected reward."""

    def at(self, levels: FloatArray) -> FloatArray:
        """Quantiles at these levels, shape (K, L)."""

    def take(self, arms: list[int]) -> "Quantiles":
        """The same, of the arms at these places only."""


class Leaders(NamedTuple):
    """All arms that pass one bar, sample by sample, in rows that are filled up with −∞.

    `arms` are places, `scores` what they are ranked by, highest first, and `ties` what comes first
    where scores are the same, lowest first; all of shape (M, W). Arms that are left out are below
    each one that is not.
    """

    arms: NDArray[np.uint16]
    scores: FloatArray
    ties: NDArray[np.uint16]

    @classmethod
    def of_index(cls, index: FloatArray, strata: Strata, depth: int) -> Self:
        """The `depth` highest of one index, and whoever ties with them, in each sample alike.

        >>> strata = Strata.of("b", range(3), 2)
        >>> Leaders.of_index(np.array([0.3, 0.1, 0.3]), strata, 1).arms.tolist()
        [[0, 2], [0, 2]]
        """
        depth = min(depth, len(index))
        places = np.flatnonzero(index >= np.partition(index, -depth)[-depth])
        ties = strata.ties[:, places]
        arms, scores = places.astype(np.uint16), index[places]
        return cls(np.broadcast_to(arms, ties.shape), np.broadcast_to(scores, ties.shape), ties)

    @classmethod
    def of_samples(cls, posterior: Quantiles, strata: Strata, depth: int) -> Self:
        """At least the `depth` highest of each sample of a posterior; of all arms, the samples.

        Between nodes quantiles are interpolated; the error is below 1 % of a posterior's own
        width. What is drawn from is published and counted, so no propensity depends on it. A bar
        is guessed that so many arms should pass, and lowered until they do: that saves work, and
        changes nothing.

        >>> from croupier.core.arms.bernoulli import Beta
        >>> strata = Strata.of("b", (0, 1), 1024)
        >>> drawn = Leaders.of_samples(Beta((2.0, 3.0), (8.0, 7.0)), strata, 2).scores
        >>> drawn.mean(axis=0).round(3).tolist(), drawn.std(axis=0).round(3).tolist()
        ([0.2, 0.3], [0.121, 0.138])
        """
        size, arms = strata.levels.shape
        depth = min(depth, arms)
        known = np.full((arms, _NODES), -np.inf)
        nodes = special.ndtr(np.linspace(-_REACH, _REACH, _NODES))
        known[:, ::_COARSE] = posterior.at(nodes[::_COARSE])
        wanted = depth + 5.0 * depth**0.5 + 12.0
        while True:
            bar = _bar(known[:, ::_COARSE], wanted)
            _know(known, nodes, posterior, bar)
            rows, places, scores = _passing(known, strata.levels, bar)
            count = np.bincount(rows, minlength=size)
            if count.min() >= depth:
                break
            wanted *= 2.0
        starts = np.cumsum(count) - count
        at = rows, np.arange(len(rows)) - starts[rows]
        shape = size, int(count.max())
        found = cls(
            np.zeros(shape, np.uint16),
            np.full(shape, -np.inf),
            np.full(shape, size, dtype=np.uint16),
        )
        found.arms[at], found.scores[at] = places, scores
        found.ties[at] = strata.levels[rows - 1, places]
        return found

    def among(self, places: Sequence[int], arms: int, depth: int) -> "Leaders | None":
        """The same of the arms at these places alone, of `arms`; None where too few are left.

        Places count among those given.
        """
        place_among = np.full(arms, arms)
        place_among[list(places)] = np.arange(len(places))
        place = place_among[self.arms]
        scores = np.where(place < arms, self.scores, -np.inf)
        if ((scores > -np.inf).sum(axis=1) < min(depth, len(places))).any():
            return None
        return Leaders(np.where(place < arms, place, 0).astype(np.uint16), scores, self.ties)


def _bar(coarse: FloatArray, wanted: float) -> float:
    """A height that about so many arms pass in each sample; −∞ when these are all arms."""
    if wanted >= len(coarse):
        return -np.inf
    place = (special.ndtri((np.arange(_LOOKS) + 0.5) / _LOOKS) + _REACH) * (
        (coarse.shape[1] - 1) / (2.0 * _REACH)
    )
    left = place.astype(np.intp)
    looks = (coarse[:, left] + (coarse[:, left + 1] - coarse[:, left]) * (place - left)).ravel()
    above = len(looks) - int(wanted * _LOOKS)
    return float(np.partition(looks, above)[above])


def _know(known: FloatArray, nodes: FloatArray, posterior: Quantiles, bar: float) -> None:
    """Learn the quantiles between two coarse nodes of whichever arms pass the bar by the upper."""
    for left in range(0, _NODES - 1, _COARSE):
        missing = (known[:, left + _COARSE] >= bar) & (known[:, left + 1] == -np.inf)
        places = np.flatnonzero(missing)
        if len(places):
            between = slice(left + 1, left + _COARSE)
            known[places, between] = posterior.take(places.tolist()).at(nodes[between])


def _passing(
    known: FloatArray, levels: NDArray[np.uint16], bar: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], FloatArray]:
    """Samples, arms and scores of all that pass the bar, by sample and then by arm."""
    size = len(levels)
    place = (special.ndtri((np.arange(size) + 0.5) / size) + _REACH) * (
        (_NODES - 1) / (2.0 * _REACH)
    )
    left = place.astype(np.intp)
    passes = known >= bar
    first = np.where(passes.any(axis=1), passes.argmax(axis=1), _NODES + 1)
    rows, arms = np.nonzero(levels >= np.searchsorted(left, first - 1).astype(np.uint16))
    level = levels[rows, arms]
    below = left[level]
    low = known[arms, below]
    scores = low + (known[arms, below + 1] - low) * (place - left)[level]
    kept = scores >= bar
    return rows[kept], arms[kept], scores[kept]
