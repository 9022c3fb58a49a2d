"""A world: what is true, who comes, when they act, and how it is reported."""

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from croupier.core.arms.panels import FloatArray
from croupier.core.worlds.attention import Attention, Views
from croupier.core.worlds.change import Change
from croupier.core.worlds.delays import Delays
from croupier.core.worlds.delivery import Delivery
from croupier.core.worlds.traffic import Traffic
from croupier.core.worlds.visitors import Visitors

Whole = NDArray[np.int64]


class Visits(NamedTuple):
    """All that fate holds ready, before any arm is chosen; a row a visit, times in milliseconds.

    Visit i succeeds with arm k iff luck_i < μ_k(at_i), whichever policy asks: policies are
    compared on the same visits. `lags` hold two copies of the impression's report and two of the
    outcome's: shape (visits, 2, 2).
    """

    at: Whole
    unit: Whole
    luck: FloatArray
    sees: Whole
    acts: Whole
    lags: Whole

    @property
    def seen(self) -> Whole:
        """When what was decided is seen."""
        return self.at + self.sees

    @property
    def alone(self) -> Views:
        """What the visits make of a slate of one slot: it is always looked at."""
        looks = np.ones((len(self.at), 1), dtype=bool)
        return Views(looks, self.luck[:, None], self.acts[:, None], self.lags[:, None])


class World(msgspec.Struct, frozen=True, kw_only=True):
    """Independent parts; each draws from a stream of its own.

    Worlds that differ in one part therefore agree in all others: with one seed, `hostile` has the
    visitors of `stationary`, told badly.

    >>> world = World(name="still", about="Nothing changes.")
    >>> visits = world.visits(3, np.random.default_rng(1))
    >>> visits.at.tolist(), visits.luck.round(3).tolist()
    ([9872, 10005, 12112], [0.233, 0.047, 0.421])
    """

    name: str
    about: str
    change: Change = Change()
    traffic: Traffic = Traffic()
    visitors: Visitors = Visitors()
    delays: Delays = Delays()
    delivery: Delivery = Delivery()
    attention: Attention = Attention()

    def visits(self, count: int, rng: np.random.Generator) -> Visits:
        """The first `count` visits of this world's history, in order of time."""
        when, who, luck, see, act, report = rng.spawn(6)
        return Visits(
            at=self.traffic.arrivals(count, when),
            unit=self.visitors.units(count, who),
            luck=luck.random(count),
            sees=self.delays.sees(count, see),
            acts=self.delays.acts(count, act),
            lags=self.delivery.lags(2 * count, report).reshape(count, 2, 2),
        )

    def views(self, visits: Visits, arms: int, slots: int, rng: np.random.Generator) -> Views:
        """What those visits make of slates; of a single slot, what `visits` says of it."""
        if slots == 1:
            return visits.alone
        count = len(visits.at)
        return self.attention.views(self.delays, self.delivery, count, arms, slots, rng)
