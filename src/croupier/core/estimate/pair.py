"""Two sides of a comparison, and all that is known of how far it may be out."""

from typing import NamedTuple

from croupier.core.arms.panels import FloatArray
from croupier.core.estimate.cells import Cells
from croupier.core.estimate.contrast import Contrast
from croupier.core.estimate.doubted import CERTAIN, Doubted
from croupier.core.estimate.draws import Draws
from croupier.core.estimate.returning import Sides, factors


class Pair(NamedTuple):
    """The periods of an arm and of another, shape (T,), by Hájek's means.

    `draws` say how both were drawn, `groups` are those of their units, where these are kept, and
    `doubted` is what fitted weights of the reward leave open.
    """

    arm: Cells
    other: Cells
    draws: tuple[Draws, Draws]
    groups: Sides | None = None
    doubted: Doubted = CERTAIN

    def contrast(self) -> Contrast:
        """The contrast of each period."""
        return Contrast.of(self.arm, self.other, propensities=True, draws=self.draws)

    def factors(self, total: Contrast, dispersion: float) -> tuple[FloatArray, FloatArray]:
        """What variances of its `total` are multiplied by, for one look and for many."""
        return factors(total, self.groups, dispersion)
