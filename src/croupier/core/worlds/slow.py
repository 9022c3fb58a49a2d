"""Arms whose outcomes take days, played in daily batches, many runs at once."""

from typing import Literal

import numpy as np

from croupier.core.arms.maturing import counted, exposure, seen_by
from croupier.core.arms.panels import FloatArray
from croupier.core.worlds.batches import thompson_shares

Counting = Literal["all at once", "when over", "as exposed"]
"""What counts as a trial: whatever was shown; what is over; what is over and a part of the rest."""


def delays(mean: float, window: int) -> FloatArray:
    """P(delay in day 1, 2, … `window`) of exponential delays that end within it; mean 0: at once.

    >>> delays(0.0, 3).tolist(), delays(2.0, 3).round(2).tolist()
    ([1.0, 0.0, 0.0], [0.51, 0.31, 0.19])
    """
    if not mean:
        return np.asarray(np.eye(window)[0])
    days = np.diff(-np.exp(-np.arange(window + 1) / mean))
    return np.asarray(days / days.sum())


def play_slow(
    rates: FloatArray, laws: FloatArray, days: int, batch: int, counting: Counting, seed: int
) -> FloatArray:
    """Each arm's share by day under Thompson sampling with a floor of 1 %: (300 runs, days, K).

    `laws` are the delays of each arm's outcomes, shape (K, W); an outcome is seen on its day, and
    what is not is open until day W.
    """
    (arms, window), dice, runs = laws.shape, np.random.default_rng(seed), 300
    shown, comes = np.zeros((runs, arms, days)), np.zeros((runs, arms, days, window))
    shares = np.zeros((runs, days, arms))
    for day in range(days):
        ages = day - np.arange(days)
        seen = comes * (ages[:, None] > np.arange(window))
        law = np.zeros((runs, arms, window))
        if counting == "all at once":
            n, r = shown.sum(axis=-1), seen.sum(axis=(-2, -1))
        else:
            law = seen_by(seen, ages) if counting == "as exposed" else law
            n, r = exposure(shown, law, ages), counted(seen, law, ages)
        a, b = 1.0 + r, 1.0 + np.maximum(n - r, 0.0)
        mean = a / (a + b)
        best = thompson_shares(mean, np.sqrt(mean * (1.0 - mean) / (a + b + 1.0)))
        shares[:, day] = 0.01 + (1.0 - 0.01 * arms) * best
        shown[:, :, day] = dice.multinomial(batch, shares[:, day])
        earned = dice.binomial(shown[:, :, day].astype(np.int64), rates)
        comes[:, :, day] = dice.multinomial(earned, laws)
    return shares
