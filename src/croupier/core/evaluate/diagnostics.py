"""When not to believe an estimate: support, weights, refusals."""

from collections.abc import Iterator

import msgspec
import numpy as np

from croupier.core.evaluate.tally import Tally

LEAST_EFFECTIVE = 50.0
"""Fewer effective rounds than this are refused."""

MOST_WEIGHT = 10_000.0
"""One round may count for so many; beyond, the answer is that round's."""

MOST_DEVIATION = 4.0
"""So many standard errors may the mean weight be away from 1; chance does it 1 time in 16,000."""

ROUNDING = 1e-6
"""So far from 1 is the mean weight of a log whose propensities are float32."""

MOST_UNSUPPORTED = 0.01
"""So much of the target's probability may lie on arms that the log never shows."""


class Diagnostics(msgspec.Struct, frozen=True):
    """What a log says about how well it can tell of a target policy.

    `effective` = (Σw)²/Σw² rounds drawn from the target would tell as much. `mean_weight` should
    be 1: `deviation` is its distance from 1 in standard errors, exact ones where the log tells all
    propensities, else as the weights themselves vary. `unsupported` is the share of the target's
    probability on arms that the log has a propensity of 0 for, or never shows.
    """

    rounds: int
    effective: float
    largest_weight: float
    mean_weight: float
    deviation: float
    unsupported: float

    @classmethod
    def of(cls, tally: Tally) -> "Diagnostics":
        """The diagnostics of a tally.

        >>> w = np.array([2.0, 0.0])
        >>> found = Diagnostics.of(Tally.of({"w": w, "w2": w * w}))
        >>> found.effective, found.mean_weight, found.deviation
        (1.0, 1.0, 0.0)
        """
        n, w, w2 = tally.n, tally.sum("w"), tally.sum("w2")
        mean, exact = tally.mean("w"), tally.has("spread")
        return cls(
            rounds=n,
            effective=w * w / w2 if w2 else 0.0,
            largest_weight=tally.most("w"),
            mean_weight=mean,
            deviation=_deviation(n, mean, tally.sum("spread") - n if exact else w2 - n * mean**2),
            unsupported=tally.mean("unsupported"),
        )

    def refusals(self) -> Iterator[str]:
        """Every reason not to answer, in words with numbers; none when the log will do.

        >>> list(Diagnostics(900, 31.4, 64.0, 1.01, 0.2, 0.0).refusals())
        ['effective sample size 31 of 900 rounds, at least 50 are needed']
        """
        if not self.rounds:
            yield "no rounds to evaluate on"
            return
        if self.unsupported > MOST_UNSUPPORTED:
            yield (
                f"{self.unsupported:.1%} of the target's probability is on arms that this log "
                f"cannot tell of: propensity 0, or never shown there ({MOST_UNSUPPORTED:.0%} is "
                "tolerated)"
            )
        if self.effective < LEAST_EFFECTIVE:
            yield (
                f"effective sample size {self.effective:.0f} of {self.rounds:,} rounds, at least "
                f"{LEAST_EFFECTIVE:.0f} are needed"
            )
        if self.largest_weight > MOST_WEIGHT:
            yield f"one round weighs {_above(self.largest_weight)}, more than {MOST_WEIGHT:,.0f}"
        if abs(self.deviation) > MOST_DEVIATION:
            yield (
                f"the mean weight is {self.mean_weight:.4g} where it should be 1, "
                f"{abs(self.deviation):.1f} standard errors away: the logged propensities are not "
                "those that arms were drawn with, rounds are missing, or what was rarest was never "
                "drawn"
            )


def _above(weight: float) -> str:
    """A weight above MOST_WEIGHT, with as many digits as show that it is.

    >>> _above(25_000.4), _above(10_000.04)
    ('25,000', '10,000.04')
    """
    digits = (d for d in range(17) if float(f"{weight:.{d}f}") > MOST_WEIGHT)
    return f"{weight:,.{next(digits, 17)}f}"


def _deviation(n: int, mean: float, scatter: float) -> float:
    """(mean − 1)/√(scatter/n²), scatter = n·variance of a weight; infinite without any."""
    if abs(mean - 1.0) < ROUNDING or not n:
        return 0.0
    if scatter < 1e-12 * n or n < 2:
        return float(np.copysign(np.inf, mean - 1.0))
    return float((mean - 1.0) * n / np.sqrt(scatter))
