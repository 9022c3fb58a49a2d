"""One arm against another in every way, and which of those to believe."""

from typing import Self

import msgspec
import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.estimate.anytime import (
    POSITIVE,
    Bounds,
    difference_sequence,
    ratio_sequence,
    ripe,
)
from croupier.core.estimate.contrast import ALPHA, Between
from croupier.core.estimate.doubted import Doubted
from croupier.core.estimate.pair import Pair
from croupier.core.estimate.whole_ratio import pooled_ratio, weighted_ratio


class Interval(msgspec.Struct, frozen=True):
    """An estimate, and from where to where it may lie; None is not known."""

    value: float | None = None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, between: Between) -> Self:
        """From arrays of no dimension.

        >>> Interval.of(Between(np.array(1.0), np.array(0.5), np.array(np.inf)))
        Interval(value=1.0, low=0.5, high=None)
        """
        return cls(*(number(each) for each in between))


class Lift(msgspec.Struct, frozen=True):
    """How an arm compares with another, periods taken one by one.

    `ratio` (None where rewards may be below 0) and `difference` have 95 % intervals for one look,
    `ratio_anytime` and `difference_anytime` such as hold at all looks, of all arms, together.
    `widened` is what the variances of the former were multiplied by, `doubted` the part of the
    difference's variance that fitted weights of the reward make up, and which more trials do not
    take away (None where none were fitted). `ripe` says whether both arms
    have earned often enough to be judged. `weighted_ratio` is the second opinion, by inverse
    propensities; `pooled_ratio` the wrong way, to compare with.
    """

    against: str
    periods: int
    ratio: Interval | None
    difference: Interval
    ratio_anytime: Interval | None
    difference_anytime: Interval
    weighted_ratio: float | None
    pooled_ratio: float | None
    ripe: bool
    widened: float = 1.0
    doubted: float | None = None

    @classmethod
    def of(
        cls,
        against: str,
        pair: Pair,
        terms: "Terms",
        *,
        propensities: bool = True,
    ) -> Self:
        """From the periods of both.

        Causes of scatter add up: that over periods, that between groups of units, and what weights
        of the reward leave in doubt. Without `propensities` there is no second opinion.
        """
        contrast, doubted = pair.contrast(), pair.doubted
        periods, total = int((contrast.size > 0).sum()), contrast.total()
        once, always = pair.factors(total, terms.dispersion)
        alpha = terms.alpha / max(terms.comparisons, 1)
        ratio = anytime = None
        if terms.positive:
            ratio = Interval.of(total.ratio(ALPHA, once, doubted))
            anytime = Interval.of(ratio_sequence(total, alpha, always, doubted))
        return cls(
            against=against,
            periods=periods,
            ratio=ratio,
            difference=Interval.of(total.difference(ALPHA, once, doubted)),
            ratio_anytime=anytime,
            difference_anytime=Interval.of(difference_sequence(total, alpha, always, doubted)),
            weighted_ratio=number(weighted_ratio(pair.arm, pair.other)) if propensities else None,
            pooled_ratio=number(pooled_ratio(pair.arm, pair.other)),
            ripe=bool(ripe(pair.arm, pair.other, terms.bounds)),
            widened=float(once),
            doubted=_part(doubted, once * (total.noise1 + total.noise0)),
        )

    @property
    def side(self) -> int:
        """1 where the arm earns more beyond doubt, −1 where it earns less, else 0; at any time."""
        found, even = self.difference_anytime, 0.0
        if self.ratio_anytime is not None:
            found, even = self.ratio_anytime, 1.0
        if not self.ripe:
            return 0
        if found.low is not None and found.low > even:
            return 1
        return -1 if found.high is not None and found.high < even else 0


class Terms(msgspec.Struct, frozen=True):
    """How strict to be: 1 − alpha over `comparisons` together, wider by the `dispersion`.

    `bounds` are those of a reward.
    """

    alpha: float = ALPHA
    comparisons: int = 1
    dispersion: float = 1.0
    bounds: Bounds = POSITIVE

    @property
    def positive(self) -> bool:
        """Whether no reward is below 0, so that ratios mean something."""
        return self.bounds[0] >= 0


def _part(doubted: Doubted, noise: FloatArray) -> float | None:
    """What part of a difference's variance the weights make up, beside the trials' `noise`."""
    if not len(doubted.gained) or not noise > 0:
        return None
    of_weights = doubted.noise()
    return float(of_weights / (of_weights + noise))


def number(value: FloatArray | float) -> float | None:
    """As JSON can carry it: what is not finite is None.

    >>> number(np.array(np.nan)), number(np.float64(2.0))
    (None, 2.0)
    """
    return float(value) if np.isfinite(value) else None
