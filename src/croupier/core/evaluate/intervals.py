"""The intervals of off-policy estimators: from a tally and stated limits."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.evaluate.sequences import (
    ALPHA,
    Interval,
    Moments,
    either,
    furthest,
    log_evidence,
    mean_interval,
)
from croupier.core.evaluate.tally import Tally


class Limits(NamedTuple):
    """What is known before the first round: rewards' bounds, and the largest weight there can be.

    `heaviest` is max target/logged over all that could have been drawn (None: not known); the
    largest weight that *was* drawn is no such bound.
    """

    low: float = 0.0
    high: float = 1.0
    heaviest: float | None = None
    alpha: float = ALPHA


def ips_interval(tally: Tally, limits: Limits) -> Interval:
    """For the target's mean reward, from w·(r − low) ≥ 0 below and w·(high − r) ≥ 0 above.

    Both have a least value and need no largest weight: a weight is taken to have mean 1. Where the
    largest weight B is known, the same numbers are also at most B·(high − low), and both ways of
    betting share the stake. Source: Waudby-Smith, Wu, Ramdas, Karampatziakis & Mineiro 2022,
    Anytime-valid off-policy inference for contextual bandits (arXiv 2210.10768).
    """
    below, above = _gains(tally, limits)
    low = _end(below, above, limits)
    high = 1.0 - _end(above, below, limits)
    return _scaled(low, high, limits)


def weighted_evidence(
    gains: Moments, mirrored: Moments, m: FloatArray, heaviest: float | None
) -> FloatArray:
    """Evidence against "weighted gains in [0, B] have mean at most m"; B may not be known.

    One bettor looks at gains, which are at least 0; the other, where B is known, at `mirrored`, the
    weights less the gains, which are at most B and have mean at least 1 − m.
    """
    direct = log_evidence(gains.about(m), m)
    if heaviest is None:
        return direct
    losses = mirrored.about(1.0 - m)
    falls = Moments(losses.n, -np.asarray(losses.s), losses.s2)
    return either(direct, log_evidence(falls, np.maximum(heaviest - 1.0 + m, 0.0)))


def snips_interval(tally: Tally, limits: Limits) -> Interval:
    """For the target's mean reward m, from w·(r − m), whose mean is 0: calm where only w varies.

    It needs the largest weight; where that is not known it is the interval of IPS.
    """
    heaviest = limits.heaviest
    if heaviest is None:
        return ips_interval(tally, limits)
    w = Moments(tally.n, tally.sum("w"), tally.sum("w2"))
    ends = []
    for gains, cross in zip(_gains(tally, limits), _crosses(tally, limits), strict=True):

        def evidence(m: FloatArray, gains: Moments = gains, cross: float = cross) -> FloatArray:
            squares = np.maximum(gains.s2 - 2 * m * cross + m * m * w.s2, 0.0)
            return log_evidence(Moments(w.n, gains.s - m * w.s, squares), heaviest * m)

        middle = float(np.clip(gains.s / w.s, 0.0, 1.0)) if w.s else 0.0
        ends.append(furthest(evidence, middle, 0.0, limits.alpha / 2))
    return _scaled(ends[0], 1.0 - ends[1], limits)


def dr_interval(tally: Tally, limits: Limits) -> Interval | None:
    """For the mean of expected + w·(r − q), which lies within the largest weight of 0.

    Exact where q was learned before, or elsewhere; with folds that learn q for each other it is as
    good as those are alike. None where the largest weight is not known.
    """
    if limits.heaviest is None:
        return None
    reach = limits.heaviest * (max(tally.most("model"), limits.high) - limits.low)
    least = limits.low - limits.heaviest * max(tally.most("model") - limits.low, 0.0)
    found = mean_interval(_moments(tally, "dr"), least, limits.high + reach, limits.alpha)
    return found.within(limits.low, limits.high)


def ranking_interval(name: str) -> Callable[[Tally, Limits], Interval | None]:
    """For the mean of a ranking's term; above, only where the heaviest term is known."""

    def interval(tally: Tally, limits: Limits) -> Interval | None:
        high = np.inf if limits.heaviest is None else limits.heaviest * limits.high
        return mean_interval(_moments(tally, name), limits.low, high, limits.alpha)

    return interval


def _moments(tally: Tally, name: str) -> Moments:
    return Moments(tally.n, tally.sum(name), tally.sum(f"{name}2"))


def _gains(tally: Tally, limits: Limits) -> tuple[Moments, Moments]:
    """Moments of w·y and w·(1 − y), with y the reward as a part of its range."""
    low, high, unit = limits.low, limits.high, limits.high - limits.low
    w, w2, wr = tally.sum("w"), tally.sum("w2"), tally.sum("wr")
    w2r, w2r2 = tally.sum("w2r"), tally.sum("w2r2")
    return (
        Moments(tally.n, (wr - low * w) / unit, _square(w2, w2r, w2r2, low) / unit**2),
        Moments(tally.n, (high * w - wr) / unit, _square(w2, w2r, w2r2, high) / unit**2),
    )


def _crosses(tally: Tally, limits: Limits) -> tuple[float, float]:
    """Σ w²·y and Σ w²·(1 − y)."""
    unit, w2, w2r = limits.high - limits.low, tally.sum("w2"), tally.sum("w2r")
    return (w2r - limits.low * w2) / unit, (limits.high * w2 - w2r) / unit


def _square(w2: float, w2r: float, w2r2: float, centre: float) -> float:
    """Σ w²(r − centre)²."""
    return max(w2r2 - 2 * centre * w2r + centre * centre * w2, 0.0)


def _end(gains: Moments, mirrored: Moments, limits: Limits) -> float:
    """The lower end for the mean of some gains, which are at least 0.

    `mirrored` are the weights less the gains: with a largest weight B they are at most B, and what
    they say of 1 − mean counts too.
    """
    heaviest, n = limits.heaviest, gains.n
    if not n:
        return 0.0

    def evidence(m: FloatArray) -> FloatArray:
        return weighted_evidence(gains, mirrored, m, heaviest)

    centres = [float(gains.s) / n, 0.0 if heaviest is None else 1.0 - float(mirrored.s) / n]
    return furthest(evidence, min(max(*centres, 0.0), 1.0), 0.0, limits.alpha / 2)


def _scaled(low: float, high: float, limits: Limits) -> Interval:
    unit = limits.high - limits.low
    ends = sorted((limits.low + unit * low, limits.low + unit * high))
    return Interval(*ends)
