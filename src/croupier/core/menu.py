"""The arms that a request may be shown in a single slot, and the draw among them."""

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate
from math import log
from struct import Struct
from typing import NamedTuple

_SCALE = 2.0**-53
_FLOAT32, _NUMBERS = Struct(">f"), Struct(">8Q")


def as_float32(share: float) -> float:
    """The nearest float32: what a token carries, so that every report of a decision agrees.

    >>> as_float32(0.1)
    0.10000000149011612
    """
    return float(_FLOAT32.unpack(_FLOAT32.pack(share))[0])


class Drawn(NamedTuple):
    """A slate: arm numbers and names, and the exact share of each in its slot.

    `propensities` are those shares as float32; `inclusions` say how likely the arm was to be in
    any slot, where the reward model pools them (else empty).
    """

    slate: tuple[int, ...]
    names: tuple[str, ...]
    shares: tuple[float, ...]
    propensities: tuple[float, ...]
    inclusions: tuple[float, ...] = ()


class Menu:
    """The arms that one request may be shown, and what to draw them with."""

    def __init__(self, arms: Sequence[int], names: Sequence[str], weights: Sequence[float]) -> None:
        self.arms, self.names, self.weights = tuple(arms), tuple(names), tuple(weights)
        self.inclusion = self.weights
        self._drawn = [
            Drawn((arm,), (name,), (weight,), (as_float32(weight),))
            for arm, name, weight in zip(arms, names, weights, strict=True)
        ]
        self._cumulative = list(accumulate(weights))
        self._drawable = [
            place for place, drawn in enumerate(self._drawn) if drawn.propensities[0] > 0
        ]
        drawable = self._drawable[-1]
        self._cumulative[drawable:] = [1.0] * (len(weights) - drawable)

    def draw(self, point: float) -> Drawn:
        """The arm that a uniform point in [0, 1) falls on.

        >>> [Menu((4, 7), ("x", "y"), (0.25, 0.75)).draw(point).slate for point in (0.2499, 0.25)]
        [(4,), (7,)]
        """
        return self._drawn[bisect_right(self._cumulative, point)]

    def rendezvous(self, digests: Sequence[int]) -> Drawn:
        """The arm that minimises −ln(u)/w over arms with u hashed per arm: P(arm) = weight.

        A change of weights moves only the units whose winner changed; where one arm changes against
        the rest, that is the least share that must move.
        Source: Schindelhauer & Schomaker 2005, Weighted distributed hash tables.
        """
        return self._drawn[
            min(
                self._drawable,
                key=lambda place: (
                    -log((digests[self.arms[place]] + 0.5) * _SCALE) / self.weights[place]
                ),
            )
        ]


def arm_digests(experiment: str, unit: bytes, last: int) -> list[int]:
    """53 hashed bits for each arm number up to at least `last`, for a weighted rendezvous."""
    digests: list[int] = []
    for block in range(last // 8 + 1):
        text = experiment.encode() + unit + block.to_bytes(4, "big")
        digest = blake2b(text, digest_size=64, person=b"croupier-unit").digest()
        digests += (number >> 11 for number in _NUMBERS.unpack(digest))
    return digests
