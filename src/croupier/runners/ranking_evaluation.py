"""Off-policy evaluation of rankings on a log of slates."""

import numpy as np

from croupier.config.errors import ConfigError
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
from croupier.ports import SlateLog
from croupier.runners.evaluation import told as lines_of
from croupier.runners.evaluation import unread

NONE = "no slates to evaluate on"
LOGGED = "the logged policy's own chances of every arm are not in the log: see cascade"
_ROUNDING = 1e-6


def evaluate_rankings(
    log: SlateLog, name: str, policy: str, target: RankingTarget, alpha: float
) -> Answer:
    """What a ranking policy would have earned a slate; each estimator stands or is refused alone.

    `refused` holds what is wrong with every estimator; where one of them can answer, it is in
    `estimates` and the others' reasons in `refused_by`.
    """
    slates = log.read()
    low, high = (each * log.slots for each in log.bounds)
    broken = unread(log.wrong_count, log.rows)
    if slates is None:
        return _answer(log, name, policy, Tally(), (low, high, alpha), [NONE, *broken])
    _check(slates, log.bounds)
    model = _model(slates, len(log.arms))
    whole, slots = tallied(slates, seen_by(slates, target, model))
    missing = (target.marginals(log.slots, len(log.arms)) * ~model.shown()).sum(axis=1)
    told = refusals(whole, slots, np.zeros_like(missing) if target.as_logged else missing)
    found = {key: _estimate(key, whole, log, (low, high, alpha), target) for key in told}
    reasons = {key: each[1] for key, each in told.items()} | _untold(log, slates, target)
    reasons["item_position"] = [*reasons["item_position"], *_too_heavy(log, slots, target)]
    sound = {key: each for key, each in found.items() if not (reasons[key] or broken)}
    every = [] if sound else [f"{key}: {why}" for key, each in reasons.items() for why in each]
    answer = _answer(log, name, policy, whole, (low, high, alpha), [*broken, *every])
    answer.diagnostics = told[next(iter(sound), "item_position")][0]
    answer.estimates = sound or None
    answer.refused_by = {key: each for key, each in reasons.items() if each}
    answer.refused_estimates = {k: each for k, each in found.items() if k not in sound} or None
    return answer


def _check(slates: Slates, bounds: tuple[float, float]) -> None:
    least, most = float(slates.reward.min()), float(slates.reward.max())
    room = _ROUNDING * max(map(abs, bounds))
    if least < bounds[0] - room or most > bounds[1] + room:
        raise ConfigError(
            f"--rewards: the log's go from {least:g} to {most:g} a slot, outside {bounds[0]:g},"
            f"{bounds[1]:g}: state the least and the largest possible"
        )


def _untold(log: SlateLog, slates: Slates, target: RankingTarget) -> dict[str, list[str]]:
    """The estimators that cannot be asked at all, by name, with why."""
    if slates.choice is None:
        return {"cascade": [log.uncounted], "cascade_dr": [log.uncounted]}
    return {"cascade_dr": [LOGGED]} if target.as_logged else {}


def _too_heavy(log: SlateLog, slots: list[Tally], target: RankingTarget) -> list[str]:
    """Where a slot was filled with a propensity that is smaller than the log's least is to be."""
    heaviest, most = log.heaviest[0], max(each.most("w") for each in slots)
    if target.as_logged or most <= heaviest * (1 + _ROUNDING):
        return []
    return [
        f"one slot weighs {most:.6g}; with the least propensity none could more than {heaviest:.6g}"
    ]


def _model(slates: Slates, arms: int) -> RewardModel:
    rows, slots = slates.arm.shape
    model = RewardModel(slots, arms)
    for slot in range(slots):
        at = np.full(rows, slot, dtype=np.int64)
        model.add(at, slates.arm[:, slot], slates.fold, slates.reward[:, slot])
    return model


def _estimate(
    key: str, whole: Tally, log: SlateLog, terms: tuple[float, float, float], target: RankingTarget
) -> Estimate:
    """A value, and an interval from the largest weight that the published rankings leave room for.

    With what a slate can earn in [L, H] a term lies in [w·L, w·H]; one with a model also as far
    below as what the model may take away. Where the weight is not known, terms are at least 0 if
    rewards are. The mean lies in [L, H], and so does the interval.
    """
    low, high, alpha = terms
    value, weight = ESTIMATORS[key].value(whole), 1.0
    if not target.as_logged:
        weight = log.heaviest[key != "item_position"] * (1 + _ROUNDING)
    if np.isfinite(weight):
        least, most = weight * min(low, 0.0), weight * max(high, 0.0)
        if key == "cascade_dr":
            least, most = least - most, most - least + max(high, 0.0)
        limits = Limits(least, most, 1.0, alpha)
    elif low >= 0 and key != "cascade_dr":
        limits = Limits(alpha=alpha)
    else:
        return Estimate.of(value, None)
    found = ESTIMATORS[key].interval(whole, limits)
    return Estimate.of(value, None if found is None else found.within(low, high))


def _answer(
    log: SlateLog,
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
        wrong_rows=log.wrong_count,
        wrong=lines_of(log.wrong),
        left_out=dict(log.left_out),
        refused=refused,
    )
