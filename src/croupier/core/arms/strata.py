"""Stratified samples of a joint posterior, at the same levels at each refresh."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.uint16]


class Strata(NamedTuple):
    """M joint samples of K arms: sample m of arm k is its quantile at level (π_k(m) + ½)/M.

    π_k is a permutation that depends on the experiment and the arm's number only. So each arm's
    samples cover its posterior evenly, arms are independent of each other, an arm's samples are
    the same whichever others are sampled with it, and they move little when its posterior does.
    `levels` holds π, shape (M, K).

    Source: McKay, Beckman & Conover 1979, A Comparison of Three Methods for Selecting Values of
    Input Variables in the Analysis of Output from a Computer Code (Latin hypercube sampling).
    """

    levels: Levels

    @classmethod
    def of(cls, experiment: str, arms: Iterable[int], size: int) -> Self:
        """The strata of an experiment's arms (their numbers), for M = `size` samples.

        >>> Strata.of("top-button", (0, 1), 8).levels.T.tolist()
        [[6, 2, 3, 5, 0, 1, 7, 4], [5, 1, 4, 0, 3, 7, 6, 2]]
        """
        return cls(_levels(experiment, tuple(arms), size))

    def take(self, arms: Sequence[int]) -> "Strata":
        """The same samples, of the arms at these places only."""
        return Strata(self.levels[:, list(arms)])

    def reordered(self, slot: int) -> "Strata":
        """The same samples in another order: independent of those for the other slots."""
        size = len(self.levels)
        return self if slot == 0 else Strata(self.levels[_permutation(b"slot %d" % slot, size)])

    @property
    def ties(self) -> Levels:
        """A random order of the arms in each sample, shape (M, K): breaks ties.

        Arms that are believed alike tie where their levels do, so that it cannot be these.
        """
        return np.roll(self.levels, 1, axis=0)


@lru_cache(maxsize=4)
def _levels(experiment: str, arms: tuple[int, ...], size: int) -> Levels:
    name = experiment.encode()
    rows = [_permutation(b"%d.%s" % (arm, name), size).astype(np.uint16) for arm in arms]
    levels = np.ascontiguousarray(np.array(rows).T)
    levels.setflags(write=False)
    return levels


def _permutation(text: bytes, size: int) -> NDArray[np.intp]:
    seed = int.from_bytes(blake2b(text, digest_size=16, person=b"croupier-strata").digest(), "big")
    return np.random.Generator(np.random.PCG64(seed)).permutation(size)
