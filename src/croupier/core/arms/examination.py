"""How likely each slot is looked at, and what arms earn where they are looked at."""

from collections.abc import Sequence

import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import Reading

SHRINK = 20.0
"""So many rewarded trials pull each slot's examination towards that of the first slot."""

_LEAST, _MOST = 0.02, 50.0


def examination(readings: Sequence[Reading]) -> FloatArray:
    """How often each slot is looked at, as a part of the first: e_j, with e_0 = 1.

    In the position-based model P(reward | arm a, slot j) = e_j·μ_a, so each arm seen in both slots
    tells their ratio, and Mantel–Haenszel puts them together:
    e_j = (s + Σ_a r_aj n_a0 / N_aj) / (s + Σ_a r_a0 n_aj / N_aj), with N_aj = n_a0 + n_aj and s
    worth SHRINK rewarded trials. While data are thin e_j is near 1: the pooled rule. It needs arms
    that are seen in several slots, which the shuffled share provides.

    >>> first = Reading(n=(1e6, 1e6), r=(4e4, 2e4), r2=(4e4, 2e4))
    >>> second = Reading(n=(5e5, 2e6), r=(1e4, 2e4), r2=(1e4, 2e4))  # both half as often
    >>> examination([first, second]).round(3).tolist()
    [1.0, 0.5]

    Source: Lagrée, Vernade & Cappé 2016, Multiple-Play Bandits in the Position-Based Model; Mantel
    & Haenszel 1959, Statistical aspects of the analysis of data from retrospective studies.
    """
    n, r, r2 = (np.array([getattr(each, name) for each in readings]) for name in ("n", "r", "r2"))
    earned = r.sum()
    if earned <= 0:
        return np.ones(len(readings))
    both = np.maximum(n + n[0], 1e-300)
    pull = SHRINK * r2.sum() / earned
    above = pull + (r * n[0] / both).sum(axis=1)
    below = pull + (r[0] * n / both).sum(axis=1)
    ratio = above / np.where(below > 0, below, 1.0)
    return np.asarray(np.clip(np.where((above > 0) & (below > 0), ratio, 1.0), _LEAST, _MOST))


def attended(readings: Sequence[Reading], seen: FloatArray) -> Reading:
    """All slots as one: a trial in slot j counts for e_j of a trial, its reward as it is.

    μ_a = Σ_j r_aj / Σ_j e_j n_aj is the estimate of greatest likelihood for rare rewards.

    >>> attended([Reading((10.0,), (2.0,), (2.0,)), Reading((10.0,), (1.0,), (1.0,))], [1.0, 0.5])
    Reading(n=(15.0,), r=(3.0,), r2=(3.0,))
    """
    n, r, r2 = (np.array([getattr(each, name) for each in readings]) for name in ("n", "r", "r2"))
    weighed = np.asarray(seen)[:, None] * n
    return Reading(*(tuple(part.sum(axis=0).tolist()) for part in (weighed, r, r2)))
