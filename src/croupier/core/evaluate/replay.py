"""Replay: a policy that learns, on a log of uniform draws."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.evaluate.model import IntArray
from croupier.core.evaluate.tally import Tally

Weigh = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
"""From n, Σr and Σr² of each arm to the weights of the next draw."""

LIKE = 1e-6
"""Propensities that differ by less than this part of themselves are equal (float32 logs)."""


class Replayed(NamedTuple):
    """What was earned: rounds where log and policy agreed, their rewards, and the sums by arm."""

    tally: Tally
    n: FloatArray
    r: FloatArray


def uniform_log(least: float, most: float) -> bool:
    """Whether all propensities are one number, so that replay is unbiased.

    >>> uniform_log(0.0125, 0.0125), uniform_log(0.01, 0.97)
    (True, False)
    """
    return most - least <= LIKE * most


def replay(
    arm: IntArray, reward: FloatArray, arms: int, weigh: Weigh, draws: FloatArray
) -> Replayed:
    """Play a learning policy down a log of uniform draws, in its order.

    At each round the policy draws an arm from its weights by `draws` (in [0, 1), one a round); a
    round in which that is the arm shown counts and is learned from, others are passed over. Then
    rounds that count are distributed as the policy's own, whatever it has learned.

    >>> def greedy(n, r, r2):
    ...     return np.eye(2)[int(r[1] > r[0])]
    >>> shown, reward = np.array([1, 0, 0, 1]), np.array([1.0, 0.0, 1.0, 1.0])
    >>> replay(shown, reward, 2, greedy, np.zeros(4)).tally.mean("r")  # rounds 2 and 3
    0.5

    Source: Li, Chu, Langford & Wang 2011, Unbiased Offline Evaluation of Contextual-bandit-based
    News Article Recommendation Algorithms (arXiv 1003.5956).
    """
    n, r, r2 = np.zeros(arms), np.zeros(arms), np.zeros(arms)
    earned: list[float] = []
    at, step = 0, 4 * arms
    while at < len(arm):
        edges = np.cumsum(weigh(n, r, r2))
        end = at
        while end < len(arm):
            part = slice(end, end + step)
            drawn = np.searchsorted(edges, draws[part] * edges[-1], side="right")
            agreed = np.flatnonzero(np.minimum(drawn, arms - 1) == arm[part])
            if len(agreed):
                end += int(agreed[0])
                break
            end += step
        if end >= len(arm):
            break
        shown, got = arm[end], float(reward[end])
        n[shown] += 1
        r[shown] += got
        r2[shown] += got * got
        earned.append(got)
        at = end + 1
    found = np.array(earned)
    return Replayed(Tally.of({"r": found, "r2": found * found}), n, r)
