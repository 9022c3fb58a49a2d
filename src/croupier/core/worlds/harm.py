"""A second outcome beside the reward, in runs that are played already."""

import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.estimate.cells import Cells


def second(
    cells: Cells, rates: FloatArray, dice: np.random.Generator, after_reward: float = 1.0
) -> Cells:
    """Draws of an outcome of 0 or 1 for the trials of `cells`: shape as theirs, (…, T, K).

    `rates` are those of trials that earned nothing, per arm or per period and arm; a trial that was
    rewarded has `after_reward` times as much. Until an arm is barred nobody adapts to it.

    >>> n = np.full((1, 2), 1000.0)
    >>> played = Cells(*[n] * 8)
    >>> second(played, np.array([0.0, 1.0]), np.random.default_rng(1)).r.tolist()
    [[0.0, 1000.0]]
    """
    earned, shown = cells.r.astype(np.int64), cells.n.astype(np.int64)
    p = np.broadcast_to(rates, shown.shape)
    drawn = dice.binomial(shown - earned, p) + dice.binomial(earned, after_reward * p)
    y: FloatArray = drawn.astype(np.float64)
    w = np.divide(cells.w, cells.n, out=np.ones_like(cells.n), where=cells.n > 0)
    return cells._replace(r=y, r2=y, wr=w * y, w2r=w * w * y, w2r2=w * w * y)
