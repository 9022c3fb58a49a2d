"""How far down a slate visitors look, and what they would do there."""

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from croupier.core.arms.panels import FloatArray
from croupier.core.worlds.delays import Delays
from croupier.core.worlds.delivery import Delivery

Whole = NDArray[np.int64]


class Views(NamedTuple):
    """All that fate holds ready of each slot and arm of a visit; times in milliseconds.

    `looks` says which slots are looked at, shape (visits, slots). Who looks at arm k acts iff
    luck_k < μ_k, with luck of shape (visits, arms): the same visit likes the same arms, whichever
    policy shows them, and where. `acts` are by visit and slot, `lags` as in `Visits`, by slot.
    """

    looks: NDArray[np.bool_]
    luck: FloatArray
    acts: Whole
    lags: Whole


class Attention(msgspec.Struct, frozen=True):
    """Slot j is looked at with probability e_j = fade^j, each slot by itself.

    What is not looked at is neither reported nor clicked.

    >>> Attention(fade=0.8).of(3).round(2).tolist()
    [1.0, 0.8, 0.64]

    Source: Craswell, Zoeter, Taylor & Ramsey 2008, An experimental comparison of click
    position-bias models (the examination hypothesis).
    """

    fade: float = 0.8

    def of(self, slots: int) -> FloatArray:
        """The probability that each slot is looked at."""
        return np.asarray(self.fade ** np.arange(slots))

    def views(
        self,
        delays: Delays,
        delivery: Delivery,
        visits: int,
        arms: int,
        slots: int,
        rng: np.random.Generator,
    ) -> Views:
        """What each of so many visits would make of slates."""
        look, luck, act, report = rng.spawn(4)
        return Views(
            looks=look.random((visits, slots)) < self.of(slots),
            luck=luck.random((visits, arms)),
            acts=delays.acts(visits * slots, act).reshape(visits, slots),
            lags=delivery.lags(2 * visits * slots, report).reshape(visits, slots, 2, 2),
        )
