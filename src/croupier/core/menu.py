"""The arms that one request may be shown, and the draw among them."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import log
from struct import Struct

_SCALE = 2.0**-53
_FLOAT32 = Struct(">f")


def as_float32(share: float) -> float:
    """The nearest float32: what a token carries, so that every report of a decision agrees.

    >>> as_float32(0.1)
    0.10000000149011612
    """
    return float(_FLOAT32.unpack(_FLOAT32.pack(share))[0])


class Menu:
    """The arms that one request may be shown, and what to draw them with."""

    def __init__(self, arms: Sequence[int], names: Sequence[str], weights: Sequence[float]) -> None:
        self.arms, self.names, self.weights = tuple(arms), tuple(names), tuple(weights)
        self.propensities = tuple((as_float32(weight),) for weight in weights)
        self.slates = tuple((arm,) for arm in arms)
        self._cumulative = list(accumulate(weights))
        self._drawable = [place for place, share in enumerate(self.propensities) if share[0] > 0]
        drawable = self._drawable[-1]
        self._cumulative[drawable:] = [1.0] * (len(weights) - drawable)

    def draw(self, point: float) -> int:
        """The place of the arm that a uniform point in [0, 1) falls on.

        >>> [Menu((4, 7), ("x", "y"), (0.25, 0.75)).draw(point) for point in (0.2499, 0.25)]
        [0, 1]
        """
        return bisect_right(self._cumulative, point)

    def rendezvous(self, digests: Sequence[int]) -> int:
        """The place that minimises −ln(u)/w over arms with u hashed per arm: P(place) = weight.

        A change of weights moves only the units whose winner changed; where one arm changes against
        the rest, that is the least share that must move.
        Source: Schindelhauer & Schomaker 2005, Weighted distributed hash tables.
        """
        return min(
            self._drawable,
            key=lambda place: (
                -log((digests[self.arms[place]] + 0.5) * _SCALE) / self.weights[place]
            ),
        )
