"""Many runs of one bandit at once, in batches: what estimates are tried on."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import special

from croupier.core.arms.deconfounded import Effects
from croupier.core.arms.panels import FloatArray
from croupier.core.estimate.cells import Cells

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(40)


def thompson_shares(mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """P(arm is best) of independent normal beliefs, shape (…, K): quick, not exact.

    >>> thompson_shares(np.array([0.06, 0.05]), np.array([0.004, 0.003])).round(4).tolist()
    [0.9772, 0.0228]
    """
    points = mean[..., None] + deviation[..., None] * _NODES  # (…, K, nodes)
    shares = np.ones_like(points)
    for other in range(mean.shape[-1]):
        below = (points - mean[..., other, None, None]) / deviation[..., other, None, None]
        below[..., other, :] = np.inf
        shares *= special.ndtr(below)
    best = shares @ _WEIGHTS
    return np.asarray(best / best.sum(axis=-1, keepdims=True))


def thompson(n: FloatArray, r: FloatArray) -> FloatArray:
    """The shares by Beta(1, 1) beliefs, taken as normal, after n trials and r successes, (…, K)."""
    a, b = 1.0 + r, 1.0 + n - r
    mean = a / (a + b)
    return thompson_shares(mean, np.sqrt(mean * (1.0 - mean) / (a + b + 1.0)))


def ucb1(n: FloatArray, r: FloatArray) -> FloatArray:
    """All for the arm with the highest r/n + √(2 ln N/n), N trials in all; first each arm once.

    >>> ucb1(np.array([100.0, 10.0]), np.array([10.0, 1.0])).tolist()
    [0.0, 1.0]
    """
    tried = np.maximum(n, 1.0)
    total = np.maximum(n.sum(axis=-1, keepdims=True), 1.0)
    index = np.where(n > 0, r / tried + np.sqrt(2.0 * np.log(total) / tried), np.inf)
    best = (index >= index.max(axis=-1, keepdims=True)).astype(np.float64)
    return np.asarray(best / best.sum(axis=-1, keepdims=True))


def play(  # noqa: PLR0913 - a world's own settings
    rates: FloatArray,
    batch: int | Sequence[int],
    runs: int,
    dice: np.random.Generator,
    *,
    floor: float = 0.01,
    deconfounded: bool = False,
    policy: Callable[[FloatArray, FloatArray], FloatArray] = thompson,
) -> Cells:
    """A policy with a floor on rewards of 0 or 1, `runs` times: cells (runs, T, K).

    `rates` are the arms' rates by period, shape (T, K); each period is one batch (of a size of its
    own, where several are given) drawn with the shares that the trials before it suggest.

    >>> cells = play(np.full((3, 2), 0.5), 100, 7, np.random.default_rng(1))
    >>> cells.n.shape, bool(np.all(cells.n.sum(axis=-1) == 100.0))
    ((7, 3, 2), True)
    """
    periods, arms = rates.shape
    sizes = np.broadcast_to(batch, periods)
    shown, earned, shares = np.zeros((3, runs, periods, arms))
    n, r = np.zeros((2, runs, arms))
    for period in range(periods):
        if deconfounded:
            effects = Effects.fit(shown[:, :period], earned[:, :period])
            n = effects.trials
            r = n * np.clip(effects.mean, 0.0, 1.0)
        shares[:, period] = floor + (1.0 - arms * floor) * policy(n, r)
        shown[:, period] = dice.multinomial(sizes[period], shares[:, period])
        earned[:, period] = dice.binomial(shown[:, period].astype(np.int64), rates[period])
        n, r = n + shown[:, period], r + earned[:, period]
    w = 1.0 / shares
    wr = w * earned
    return Cells(shown, earned, earned, w * shown, w * w * shown, wr, w * wr, w * wr)


def merged(cells: Cells, batches: int) -> Cells:
    """Periods of so many batches each: (runs, T·batches, K) → (runs, T, K).

    What is kept where the policy publishes more often than a period begins.

    >>> cells = play(np.full((6, 2), 0.5), 10, 7, np.random.default_rng(1))
    >>> merged(cells, 3).n.sum(axis=-1)[0].tolist()
    [30.0, 30.0]
    """
    runs, periods, arms = cells.n.shape
    shape = (runs, periods // batches, batches, arms)
    return Cells(*(each.reshape(shape).sum(axis=2) for each in cells))
