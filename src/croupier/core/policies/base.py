"""What every policy shares: the floor, and how it reads an arm's past."""

from collections.abc import Sequence

import msgspec
import numpy as np

from croupier.core.arms.leaders import Leaders
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.posterior import Posterior
from croupier.core.arms.strata import Strata
from croupier.core.arms.sums import Reading
from croupier.core.arms.table import ArmTable

MOST_FLOOR = 0.5
"""The largest share that floors may take together."""


class Allocation(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind"
):
    """A policy: a frozen value that turns a posterior into weights. Subclasses say `weights`.

    `floor` is the least weight of an arm (default min(0.01, 0.1/K)). `half_life` and
    `sliding_window` (milliseconds) discount old periods when they are read; the sums stay. With
    `delay_corrected`, trials whose window is open count in so far as outcomes had time to come.
    """

    floor: float | None = None
    half_life: int | None = None
    sliding_window: int | None = None
    delay_corrected: bool = False

    def index(self, posterior: Posterior) -> FloatArray:
        """What a policy that draws nothing ranks the arms by, one number an arm."""
        raise NotImplementedError

    def exploring(self, posterior: Posterior) -> float:  # noqa: ARG002 - for those whose share moves
        """The part of the traffic, before the floor, that all arms share equally."""
        return 0.0

    def weights(self, posterior: Posterior) -> FloatArray:
        """The share of each arm before the floor; sums to 1. Here: all for the highest index."""
        share, best = self.exploring(posterior), shared(self.index(posterior))
        return np.asarray(share / len(best) + (1.0 - share) * best)

    def leaders(self, posterior: Posterior, strata: Strata, depth: int) -> Leaders:
        """At least the `depth` arms of each sample that come first, and what they are ranked by."""
        return Leaders.of_index(self.index(posterior), strata, depth)

    def shuffled(self, posterior: Posterior) -> float:
        """The share of decisions that show a uniformly shuffled ranking: K·f + (1 − K·f)·ε.

        With it p = f + (1 − K·f)·w holds for each arm in each slot, w its part of the rankings.
        """
        arms = len(posterior.mean())
        floors = arms * self.usable_floor(arms)
        return floors + (1.0 - floors) * self.exploring(posterior)

    def asked_floor(self, arms: int) -> float:
        """The floor as declared, for so many arms."""
        return min(0.01, 0.1 / arms) if self.floor is None else self.floor

    def usable_floor(self, arms: int) -> float:
        """The floor, clamped so that floors together take at most half of the traffic.

        >>> Allocation(floor=0.01).usable_floor(4), Allocation(floor=0.2).usable_floor(4)
        (0.01, 0.125)
        """
        return min(self.asked_floor(arms), MOST_FLOOR / arms)

    def publish(self, posterior: Posterior) -> FloatArray:
        """What is drawn from: p = f + (1 − K·f)·w, with f the floor; sums to 1.

        Source: the mixture form of GrowthBook's minimum share; clipping and renormalising
        would distort the distances between the arms.
        """
        weights = self.weights(posterior)
        floor = self.usable_floor(len(weights))
        return np.asarray(floor + (1.0 - len(weights) * floor) * weights)

    def age_weight(self, age: FloatArray) -> FloatArray:
        """How much a period counts whose trials are `age` milliseconds old: 2^(−age/half-life).

        >>> Allocation(half_life=1000).age_weight(np.array([0.0, 1000.0, 3000.0])).tolist()
        [1.0, 0.5, 0.125]
        """
        weight = np.ones_like(age)
        if self.half_life is not None:
            weight = np.exp2(-np.maximum(age, 0.0) / self.half_life)
        if self.sliding_window is not None:
            weight = np.where(age < self.sliding_window, weight, 0.0)
        return weight

    def reading(
        self,
        table: ArmTable,
        arms: Sequence[int],
        watermark: int,
        period: int,
        bounds: tuple[float, float],  # noqa: ARG002 - for those that shift what they read
    ) -> Reading:
        """What the posterior of these arms is made of; a trial earns within `bounds`."""
        reading = table.read(arms, watermark, period, self.age_weight)
        if not self.delay_corrected:
            return reading
        return table.maturing.beside(reading, arms, watermark, self.age_weight)

    def problem(self, arms: int) -> str | None:
        """Why this policy cannot serve so many arms, or None."""
        share = arms * self.asked_floor(arms)
        checks = {
            "floor must be between 0 and 1": not 0 <= self.asked_floor(arms) <= 1,
            f"floors take {share:.0%} of the traffic together, at most {MOST_FLOOR:.0%} is "
            "allowed": share > MOST_FLOOR + 1e-12,
            "half_life must be positive": self.half_life is not None and self.half_life <= 0,
            "sliding_window must be positive": (
                self.sliding_window is not None and self.sliding_window <= 0
            ),
        }
        return next((reason for reason, wrong in checks.items() if wrong), None)


def shared(index: FloatArray) -> FloatArray:
    """All for the arm of highest index; shared equally where several tie.

    >>> shared(np.array([1.0, 3.0, 3.0])).tolist()
    [0.0, 0.5, 0.5]
    """
    best = index >= index.max()
    return np.asarray(best / best.sum())
