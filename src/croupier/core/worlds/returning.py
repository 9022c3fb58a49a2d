"""Units that come back in other hours, alike to themselves; many runs at once."""

from typing import NamedTuple

import numpy as np

from croupier.core.arms.groups import GROUPS
from croupier.core.arms.panels import FloatArray
from croupier.core.estimate.cells import Cells
from croupier.core.worlds.batches import thompson_shares


class Returning(NamedTuple):
    """So many units, each of which makes a trial in a period with probability `comes`.

    Two trials of one unit have the correlation `alike`. With `sticky` a unit keeps its arm while
    shares allow (weighted rendezvous, as `sticky = "unit"`); else each trial is drawn anew.
    """

    units: int
    comes: float
    alike: float
    sticky: bool = True


def play_returning(
    rates: FloatArray,
    world: Returning,
    runs: int,
    dice: np.random.Generator,
    *,
    floor: float | None = 0.01,
) -> tuple[Cells, Cells]:
    """Rewards of 0 or 1 by period, (runs, T, K), and by period and group, (runs, T, G, K).

    `rates` are the arms' rates by period, shape (T, K). Shares follow Thompson sampling over the
    periods before, with a `floor`; they are even where that is None. A trial succeeds when a
    uniform number is below its rate; it is the unit's own with probability √alike, so that trials
    are alike at whatever rates, and a unit that came in every period has the design effect
    1 + (T − 1)·alike.

    >>> cells, groups = play_returning(
    ...     np.full((3, 2), 0.5), Returning(50, 1.0, 0.1), 7, np.random.default_rng(1))
    >>> cells.n.shape, groups.n.shape, bool(np.all(groups.n.sum(axis=2) == cells.n))
    ((7, 3, 2), (7, 3, 64, 2), True)
    """
    periods, arms = rates.shape
    own, bond = dice.random((runs, world.units)), dice.exponential(size=(runs, world.units, arms))
    group = dice.integers(0, GROUPS, (runs, world.units))
    shown, earned, shares = np.zeros((3, runs, periods, GROUPS, arms))
    n, r = np.zeros((2, runs, arms))
    for period in range(periods):
        share = np.full((runs, arms), 1.0 / arms)
        if floor is not None:
            mean = (1.0 + r) / (2.0 + n)
            best = thompson_shares(mean, np.sqrt(mean * (1.0 - mean) / (n + 3.0)))
            share = floor + (1.0 - arms * floor) * best
        shares[:, period] = share[:, np.newaxis]
        run, unit = np.nonzero(dice.random((runs, world.units)) < world.comes)
        near = bond[run, unit] if world.sticky else dice.exponential(size=(len(run), arms))
        arm = np.argmin(near / share[run], axis=1)
        same = dice.random(len(run)) < np.sqrt(world.alike)
        luck = np.where(same, own[run, unit], dice.random(len(run)))
        place = np.ravel_multi_index((run, group[run, unit], arm), (runs, GROUPS, arms))
        size, won = runs * GROUPS * arms, luck < rates[period, arm]
        shown[:, period] = np.bincount(place, minlength=size).reshape(runs, GROUPS, arms)
        earned[:, period] = np.bincount(place[won], minlength=size).reshape(runs, GROUPS, arms)
        n, r = n + shown[:, period].sum(axis=1), r + earned[:, period].sum(axis=1)
    return Cells(*(each.sum(axis=2) for each in _cells(shown, earned, shares))), _cells(
        shown, earned, np.sqrt(shares)
    )


def _cells(n: FloatArray, r: FloatArray, shares: FloatArray) -> Cells:
    w = 1.0 / shares
    return Cells(n, r, r, w * n, w * w * n, w * r, w * w * r, w * w * r)
