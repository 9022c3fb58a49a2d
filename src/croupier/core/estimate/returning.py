"""What units that return do to a comparison: groups on both sides of it."""

from collections.abc import Sequence

import numpy as np

from croupier.core.arms.design_effect import Away, Effect
from croupier.core.arms.panels import FloatArray
from croupier.core.estimate.cells import Cells
from croupier.core.estimate.contrast import Contrast

Sides = tuple[Cells, Cells]
"""The sums by group of an arm and of the other, shape (…, G), their w as they weigh trials."""


def side(groups: Cells, places: Sequence[int]) -> Cells:
    """One side of a comparison, from sums by group, shape (G, K) → (G,).

    A contrast weighs a trial of a period by √(n₀/n₁), which in a rare arm goes as 1/√propensity:
    late trials of an arm that has lost count most. Of several arms together all weigh the same.
    """
    if len(places) == 1:
        return groups.arm(places[0])
    both = groups.arms(places).together()
    return Cells(both.n, both.r, both.r2, both.n, both.n, both.r, both.r, both.r2)


def returning(contrast: Contrast, sides: Sides) -> Effect:
    """The design effect of a comparison, from its `total` and the groups of both sides.

    U_g = a₁ U_g1 − a₀ U_g0, each side in such units that independent trials would give it the
    variance that the contrast has of it: what a unit brings to both arms cancels out, as it does in
    the contrast, and what it brings to the one arm that it always sees does not.

    >>> even = np.full(64, 100.0)
    >>> wins = even / 10 + np.tile([4.0, -4.0], 32)
    >>> one = Cells(even, wins, wins, even, even, wins, wins, wins)
    >>> two = Contrast(*map(np.array, (75.0, 60.0, 72.0, 72.0, 144.0, 1500.0)))
    >>> other = Cells(*(np.roll(each, 1) for each in one))
    >>> [round(float(returning(two, each).phi), 2) for each in ((one, one), (one, other))]
    [0.0, 3.61]
    """
    first, second = (
        Away.of(np.stack([each.w, each.wr, each.w2, each.w2r, each.w2r2])) for each in sides
    )
    return Effect.of(first.scaled(contrast.noise1).minus(second.scaled(contrast.noise0)))


def factors(
    contrast: Contrast, sides: Sides | None, dispersion: float
) -> tuple[FloatArray, FloatArray]:
    """What variances of a total are multiplied by, for one look and for many.

    Causes of scatter add up: φ of the `dispersion` over periods, and that of units that return.
    """
    if sides is None:
        return np.array(dispersion), np.array(dispersion)
    effect, more = returning(contrast, sides), dispersion - 1.0
    return effect.once + more, effect.always + more
