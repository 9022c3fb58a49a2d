"""The policy to be evaluated, as probabilities; and a log's rounds as seen by it."""

from typing import NamedTuple

import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.evaluate.model import IntArray, RewardModel
from croupier.core.evaluate.rounds import Rounds


class Logged(NamedTuple):
    """A part of a log: one row a round, arms and positions by number.

    `offered` holds the logged propensities of all arms where the log tells them, NaN for an arm
    that was not offered. `target` is the target's probability of what was shown where the log
    tells that. Rounds of one fold belong together (a unit's are in one).
    """

    arm: IntArray
    position: IntArray
    fold: IntArray
    reward: FloatArray
    propensity: FloatArray
    offered: FloatArray | None = None
    target: FloatArray | None = None


class Target(NamedTuple):
    """Weights by position and arm; None in place of them: as logged, or as the log's column says.

    Among the arms that a round offers the weights are shared out anew in proportion.
    """

    weights: FloatArray | None
    as_logged: bool = False

    @property
    def column(self) -> bool:
        """Whether the log itself must tell the target's probability of what was shown."""
        return self.weights is None and not self.as_logged


def uniform(positions: int, arms: int) -> Target:
    """Equal shares.

    >>> uniform(1, 4).weights
    array([[0.25, 0.25, 0.25, 0.25]])
    """
    return Target(np.full((positions, arms), 1.0 / max(arms, 1)))


def always(arm: int, positions: int, arms: int) -> Target:
    """One arm for everybody."""
    weights = np.zeros((positions, arms))
    weights[:, arm] = 1.0
    return Target(weights)


def rounds_of(logged: Logged, target: Target, model: RewardModel) -> Rounds:
    """The rounds of a part of a log as the target sees them."""
    if target.weights is None:
        told = logged.propensity if target.as_logged else logged.target
        if told is None:
            raise ValueError("this log has no column with the target's probability")
        return Rounds(logged.reward, logged.propensity, told)
    if logged.offered is not None:
        return _among_offered(logged, logged.offered, target.weights, model)
    q, weights = model.expected(), target.weights
    places = (logged.position, logged.arm)
    missing = (weights * ~model.shown()).sum(axis=1)
    return Rounds(
        reward=logged.reward,
        logged=logged.propensity,
        target=weights[places],
        model=q[(logged.fold, *places)],
        expected=(q * weights).sum(axis=2)[logged.fold, logged.position],
        unsupported=missing[logged.position],
    )


def _among_offered(
    logged: Logged, offered: FloatArray, weights: FloatArray, model: RewardModel
) -> Rounds:
    """With all propensities known, support is known too: it is where they are above 0."""
    q = model.expected()[logged.fold, logged.position]
    room = ~np.isnan(offered)
    share = np.where(room, weights[logged.position], 0.0)
    total = share.sum(axis=1, keepdims=True)
    share = np.divide(share, total, out=np.zeros_like(share), where=total > 0)
    rows = np.arange(len(logged.arm))
    drawn = np.nan_to_num(offered)
    weight = np.divide(share, drawn, out=np.zeros_like(share), where=drawn > 0)
    return Rounds(
        reward=logged.reward,
        logged=logged.propensity,
        target=share[rows, logged.arm],
        model=q[rows, logged.arm],
        expected=(q * share).sum(axis=1),
        unsupported=1.0 - (share * (drawn > 0)).sum(axis=1),
        spread=(share * weight).sum(axis=1),
    )


def heaviest_weight(logged: Logged, target: Target, least: float | None) -> float | None:
    """The largest weight that the rounds could have had, as far as the log tells, or None.

    `least` is the least propensity that the logging policy gives any arm, where somebody knows.
    """
    if target.as_logged:
        return 1.0
    if target.weights is None:
        return None if least is None else 1.0 / least
    if logged.offered is None:
        return None if least is None else float(target.weights.max()) / least
    room = logged.offered > 0
    if not room.any():
        return None
    share = np.where(~np.isnan(logged.offered), target.weights[logged.position], 0.0)
    share = share / np.maximum(share.sum(axis=1, keepdims=True), 1e-300)
    return float((share[room] / logged.offered[room]).max())
