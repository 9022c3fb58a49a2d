"""Trials whose window is open: how much of their outcomes has been seen."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import Reading
from croupier.core.duration import DAY

BUCKETS = 32
"""Ages and delays are counted in so many parts of the window."""

LEAST = 20
"""Outcomes of trials that are over, before an arm's delays are taken for known."""

DELAY = "delay."
"""How strata begin that say when first outcomes came; they train nothing."""

OpenRow = tuple[int, int, int, int, dict[int, int]]
"""Arm, slot, age, trials, and how many had their first outcome after which delay."""


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


def delay_stratum(delay: int, window: int) -> str:
    """The stratum that counts trials whose first outcome came after such a delay, milliseconds.

    >>> delay_stratum(0, 3_600_000), delay_stratum(3_600_000, 3_600_000)
    ('delay.00', 'delay.31')
    """
    return f"{DELAY}{part_of(delay, window):02d}"


def part_of(time: int, window: int) -> int:
    """Which of the BUCKETS parts of a window a delay falls into."""
    return min(time * BUCKETS // window, BUCKETS - 1)


class Maturing:
    """What is known in one slot of delays, and of the trials that are open.

    The delays are those of trials that are over, by day, arm and part of the window; `open` holds
    the rows of `OpenTrials`, and `window` is theirs.
    """

    def __init__(self) -> None:
        self._over: dict[int, dict[int, FloatArray]] = {}
        self.open: Sequence[OpenRow] = ()
        self.window = 0

    def add(self, day: int, arm: int, stratum: str, trials: int) -> None:
        """Take so many trials more whose first outcome came in the part that the stratum names."""
        of_arm = self._over.setdefault(day, {}).setdefault(arm, np.zeros(BUCKETS))
        of_arm[int(stratum.removeprefix(DELAY))] += trials

    def beside(
        self,
        reading: Reading,
        arms: Sequence[int],
        watermark: int,
        age_weight: Callable[[FloatArray], FloatArray],
    ) -> Reading:
        """A reading of trials that are over, and with it Σ n·F(age) of those that are open.

        F is an arm's own, and counts nothing before LEAST outcomes of it are over. Open trials are
        discounted by their age as others are.
        """
        if not self.open:
            return reading
        trials, outcomes = self._count_open(arms)
        ages = np.arange(BUCKETS + 1, dtype=np.int64)
        known = outcomes.copy()
        known[:, BUCKETS] += self._count_over(arms, watermark, age_weight)
        enough = known[:, BUCKETS].sum(axis=-1, keepdims=True) >= LEAST
        seen = np.where(enough, seen_by(known, ages), 0.0)
        weight = age_weight(ages.astype(np.float64) * (self.window / BUCKETS))
        n = np.asarray(reading.n) + exposure(trials * weight, seen, ages)
        early = counted(outcomes * weight[:, None], seen, ages)
        r, r2 = (np.asarray(each) + early for each in (reading.r, reading.r2))
        return Reading(tuple(n.tolist()), tuple(r.tolist()), tuple(r2.tolist()))

    def _count_open(self, arms: Sequence[int]) -> tuple[FloatArray, FloatArray]:
        """Open trials by arm and age, and their outcomes by delay."""
        places = {arm: place for place, arm in enumerate(arms)}
        trials = np.zeros((len(arms), BUCKETS + 1))
        outcomes = np.zeros((*trials.shape, BUCKETS))
        for arm, _, age, count, delays in self.open:
            place = places.get(arm)
            if place is not None:
                trials[place, age] += count
                for delay, came in delays.items():
                    outcomes[place, age, delay] += came
        return trials, outcomes

    def _count_over(
        self,
        arms: Sequence[int],
        watermark: int,
        age_weight: Callable[[FloatArray], FloatArray],
    ) -> FloatArray:
        """Outcomes of trials that are over by delay, each day weighted by its age."""
        found = np.zeros((len(arms), BUCKETS))
        days = np.fromiter(self._over, dtype=np.float64)
        weights = age_weight(np.maximum(watermark - days - DAY, 0.0))
        for by_arm, weight in zip(self._over.values(), weights.tolist(), strict=True):
            for place, arm in enumerate(arms):
                if arm in by_arm:
                    found[place] += weight * by_arm[arm]
        return found
