"""Trials whose window is open: how much of their outcomes has been seen."""

import numpy as np
from numpy.typing import NDArray

from croupier.core.arms.panels import FloatArray


def seen_by(outcomes: FloatArray, ages: NDArray[np.int64]) -> FloatArray:
    """F: the part of an arm's outcomes that come within 1, 2, … W buckets of its impression.

    `outcomes` counts first outcomes by the cohort of their trial and their delay in buckets, shape
    (…, C, W); `ages` says how many whole buckets of each cohort are over, shape (C,). A cohort
    shows no delay longer than its age, so that slow outcomes are missing just where most trials
    are; the reverse-time hazard g(x) = outcomes with delay x / outcomes with delay ≤ x, among
    cohorts old enough to show x, is not misled by that: F(x) = Π_{y > x} (1 − g(y)). It is known
    once the first cohort is as old as the window, and 0 (nothing is counted early) before.

    Two cohorts of 100 outcomes, half of them slow; the younger one has shown only the fast ones:

    >>> seen_by(np.array([[50.0, 50.0], [50.0, 0.0]]), np.array([2, 1])).tolist()
    [0.5, 1.0]

    Source: Lagakos, Barraj & De Gruttola 1988, Nonparametric analysis of truncated survival data,
    with application to AIDS; Kaplan & Meier 1958.
    """
    delays = np.arange(outcomes.shape[-1])
    old = ages[:, None] > delays  # cohort × delay: old enough to show it
    upto = np.cumsum(outcomes, axis=-1)
    late, risk = ((each * old).sum(axis=-2) for each in (outcomes, upto))
    hazard = np.divide(late, risk, out=np.zeros_like(late), where=risk > 0)
    left = np.concatenate([1.0 - hazard[..., 1:], np.ones_like(hazard[..., :1])], axis=-1)
    found = np.flip(np.cumprod(np.flip(left, axis=-1), axis=-1), axis=-1)
    return np.asarray(np.where(risk[..., -1:] > 0, found, 0.0))


def exposure(trials: FloatArray, seen: FloatArray, ages: NDArray[np.int64]) -> FloatArray:
    """Σ n·F(age): so many trials whose windows are over would have shown as many outcomes.

    `trials` by cohort, shape (…, C); `seen` is F, shape (…, W). A cohort older than the window
    counts in full, one that is younger than a bucket not at all. With the outcomes seen so far
    these are the trials and successes of a posterior: an open trial is not a failure.

    >>> exposure(np.array([1000.0, 1000.0]), np.array([0.5, 1.0]), np.array([2, 1])).tolist()
    1500.0

    Source: Vernade, Cappé & Perchet 2017, Stochastic Bandit Models for Delayed Conversions
    (arXiv 1706.09186).
    """
    window = seen.shape[-1]
    part = np.concatenate([np.zeros_like(seen[..., :1]), seen], axis=-1)
    part[..., -1] = 1.0
    return np.asarray((trials * part[..., np.clip(ages, 0, window)]).sum(axis=-1))


def counted(outcomes: FloatArray, seen: FloatArray, ages: NDArray[np.int64]) -> FloatArray:
    """The outcomes that go with `exposure`: of cohorts that are counted at all, shape (…).

    Where F is not known yet, an open cohort counts neither as trials nor by its outcomes.

    >>> none = np.zeros(2)
    >>> counted(np.array([[50.0, 50.0], [50.0, 0.0]]), none, np.array([2, 1])).tolist()
    100.0
    """
    window, by_cohort = seen.shape[-1], outcomes.sum(axis=-1)
    known = (seen[..., -1:] > 0) | (ages >= window)
    return np.asarray((by_cohort * known).sum(axis=-1))
