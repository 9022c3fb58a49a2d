"""Off-policy evaluation of rankings on Croupier's own log of slates."""

import numpy as np

from croupier.core.evaluate.answer import Answer, Estimate
from croupier.core.evaluate.estimators import ESTIMATORS
from croupier.core.evaluate.intervals import Limits
from croupier.core.evaluate.model import RewardModel
from croupier.core.evaluate.sequences import Moments, mean_interval
from croupier.core.evaluate.slates import (
    RankingTarget,
    Slates,
    refusals,
    seen_by,
    tallied,
)
from croupier.core.evaluate.tally import Tally
from croupier.runners.own_slates import OwnSlates

NONE = "no slates to evaluate on"
_UNCOUNTED = "how likely an arm was, given the arms above it, cannot be counted"
POOLED = f'slots are "pooled", arms stand in a random order: {_UNCOUNTED}'
LIMITED = f"some slates were drawn under limits of groups (diversity): {_UNCOUNTED}"
LOGGED = "the logged policy's own chances of every arm are not in the log: see cascade"


def evaluate_rankings(
    log: OwnSlates, name: str, policy: str, target: RankingTarget, alpha: float
) -> Answer:
    """What a ranking policy would have earned a slate; each estimator stands or is refused alone.

    `refused` holds what is wrong with every estimator; where one of them can answer, it is in
    `estimates` and the others' reasons in `refused_by`.
    """
    slates = log.read()
    low, high = (each * log.spec.slots for each in log.spec.reward.bounds)
    if slates is None:
        return _answer(log, name, policy, Tally(), (low, high, alpha), [NONE])
    model = _model(slates, len(log.arms))
    whole, slots = tallied(slates, seen_by(slates, target, model))
    missing = (target.marginals(log.spec.slots, len(log.arms)) * ~model.shown()).sum(axis=1)
    told = refusals(whole, slots, np.zeros_like(missing) if target.as_logged else missing)
    found = {key: _estimate(key, whole, log, (low, high, alpha), target) for key in told}
    sound = {key: each for key, each in found.items() if not told[key][1]}
    reasons = {key: each[1] for key, each in told.items()} | _untold(log, slates, target)
    every = [] if sound else [f"{key}: {why}" for key, each in reasons.items() for why in each]
    answer = _answer(log, name, policy, whole, (low, high, alpha), every)
    answer.diagnostics = told[next(iter(sound), "item_position")][0]
    answer.estimates = sound or None
    answer.refused_by = {key: each for key, each in reasons.items() if each}
    answer.refused_estimates = {k: each for k, each in found.items() if k not in sound} or None
    return answer


def _untold(log: OwnSlates, slates: Slates, target: RankingTarget) -> dict[str, list[str]]:
    """The estimators that cannot be asked at all, by name, with why."""
    if slates.choice is None:
        why = POOLED if log.spec.pools else LIMITED
        return {"cascade": [why], "cascade_dr": [why]}
    return {"cascade_dr": [LOGGED]} if target.as_logged else {}


def _model(slates: Slates, arms: int) -> RewardModel:
    rows, slots = slates.arm.shape
    model = RewardModel(slots, arms)
    for slot in range(slots):
        at = np.full(rows, slot, dtype=np.int64)
        model.add(at, slates.arm[:, slot], slates.fold, slates.reward[:, slot])
    return model


def _estimate(
    key: str, whole: Tally, log: OwnSlates, terms: tuple[float, float, float], target: RankingTarget
) -> Estimate:
    """A value, and an interval from the largest weight that the published rankings leave room for.

    With what a slate can earn in [L, H] a term lies in [w·L, w·H]; one with a model also as far
    below as what the model may take away. The mean lies in [L, H], and so does the interval.
    """
    low, high, alpha = terms
    weight = 1.0 if target.as_logged else log.heaviest[key != "item_position"]
    least, most = weight * min(low, 0.0), weight * max(high, 0.0)
    if key == "cascade_dr":
        least, most = least - most, most - least + max(high, 0.0)
    value = ESTIMATORS[key].value(whole)
    if not np.isfinite(weight):
        return Estimate.of(value, None)
    limits = Limits(least, most, 1.0, alpha)
    found = ESTIMATORS[key].interval(whole, limits)
    return Estimate.of(value, None if found is None else found.within(low, high))


def _answer(
    log: OwnSlates,
    name: str,
    policy: str,
    whole: Tally,
    terms: tuple[float, float, float],
    refused: list[str],
) -> Answer:
    low, high, alpha = terms
    logged = mean_interval(Moments(whole.n, whole.sum("r"), whole.sum("r2")), low, high, alpha)
    return Answer(
        log=name,
        policy=policy,
        rounds=whole.n,
        logged=Estimate.of(whole.mean("r"), logged),
        confidence=1 - alpha,
        left_out=dict(log.left_out),
        refused=refused,
    )
