"""Slates that were shown, as a ranking policy sees them: by slot and by prefix."""

from typing import NamedTuple

import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.evaluate.diagnostics import Diagnostics
from croupier.core.evaluate.model import IntArray, RewardModel
from croupier.core.evaluate.rankings import Rankings, ranking_columns
from croupier.core.evaluate.rounds import Columns
from croupier.core.evaluate.tally import Tally


class Slates(NamedTuple):
    """One row a slate, one column a slot: arms, rewards, and how likely they were.

    `slot` is the probability of this arm in this slot, `choice` that of this arm given the arms
    above it (None: not known). Slates of one fold belong together.
    """

    arm: IntArray
    fold: IntArray
    reward: FloatArray
    slot: FloatArray
    choice: FloatArray | None


class RankingTarget(NamedTuple):
    """One ranking for everybody (`order`), or every ranking of some arms alike; or as logged."""

    order: tuple[int, ...] = ()
    among: tuple[int, ...] = ()

    @property
    def as_logged(self) -> bool:
        """Whether it is the logging policy itself."""
        return not self.order and not self.among

    def marginals(self, slots: int, arms: int) -> FloatArray:
        """P(arm in slot), shape (slots, arms).

        >>> RankingTarget(among=(0, 2)).marginals(1, 3).tolist()
        [[0.5, 0.0, 0.5]]
        """
        found = np.zeros((slots, arms))
        if self.order:
            found[np.arange(slots), list(self.order)] = 1.0
        else:
            found[:, list(self.among)] = 1.0 / max(len(self.among), 1)
        return found


def seen_by(slates: Slates, target: RankingTarget, model: RewardModel) -> Rankings:
    """The slates as the target sees them: weights, and what the model expects.

    The model's q(slot, arm) of a slot is joined by the target's mean of all slots below, which is
    a function of the arms above alone: so cascade DR stays without bias whatever q.

    >>> one = Slates(*(np.array(x) for x in ([[0, 1]], [0], [[1.0, 0.0]], [[0.5, 0.5]], [[0.5, 1]])))
    >>> seen = seen_by(one, RankingTarget(order=(0, 1)), RewardModel(2, 2))
    >>> seen.slot.tolist(), seen.choice.tolist()
    ([[2.0, 2.0]], [[2.0, 1.0]])
    """  # noqa: E501
    even = np.ones_like(slates.reward)
    if target.as_logged:
        return Rankings(slates.reward, even, even)
    slots = slates.arm.shape[1]
    places, q = np.arange(slots), model.expected()
    share = target.marginals(slots, q.shape[2])
    mean = (q * share).sum(axis=2)[slates.fold]  # (rows, slots)
    below = np.flip(np.cumsum(np.flip(mean, axis=1), axis=1), axis=1) - mean
    own = q[slates.fold[:, None], places, slates.arm]
    shown = share[places, slates.arm]
    given, expected = shown, mean
    if not target.order:
        left = len(target.among) - places
        given = np.where(shown > 0, 1.0 / left, 0.0)
        above = np.stack([_above(q, slates, share, slot) for slot in range(slots)], axis=1)
        expected = (mean * len(target.among) - above) / left
    choice = slates.slot if slates.choice is None else slates.choice
    return Rankings(
        slates.reward, shown / slates.slot, given / choice, own + below, expected + below
    )


def _above(q: FloatArray, slates: Slates, share: FloatArray, slot: int) -> FloatArray:
    """Σ q(slot, arm) over the target's arms that stand above in the slate."""
    above = slates.arm[:, :slot]
    own = q[slates.fold[:, None], slot, above] * (share[slot] > 0)[above]
    return np.asarray(own.sum(axis=1))


def tallied(slates: Slates, rankings: Rankings) -> tuple[Tally, list[Tally]]:
    """What the estimators are functions of; and the weights of each slot by itself."""
    found: Columns = ranking_columns(rankings)
    if slates.choice is None:
        found = {name: each for name, each in found.items() if name.startswith("item_position")}
    whole = slates.reward.sum(axis=1)
    slots = [Tally.of({"w": each, "w2": each * each}) for each in rankings.slot.T]
    return Tally.of(found | {"r": whole, "r2": whole * whole}), slots


def refusals(
    whole: Tally, slots: list[Tally], unsupported: FloatArray
) -> dict[str, tuple[Diagnostics, list[str]]]:
    """By estimator, how far the log carries, and why it is refused.

    Item-position needs every slot by itself (the worst one is told), the others whole rankings.
    """
    by_slot = [
        Diagnostics.of(_with(tally, float(share)))
        for tally, share in zip(slots, unsupported, strict=True)
    ]
    worst = min(by_slot, key=lambda each: each.effective)
    why = [f"slot {slot}: {each}" for slot, one in enumerate(by_slot) for each in one.refusals()]
    found = {"item_position": (worst, why)}
    if whole.has("cascade"):
        told = Diagnostics.of(_with(whole, float(unsupported.max())))
        found |= {name: (told, list(told.refusals())) for name in ("cascade", "cascade_dr")}
    return {name: each for name, each in found.items() if whole.has(name)}


def _with(tally: Tally, unsupported: float) -> Tally:
    return tally + Tally(0, Tally.of({"unsupported": np.array([unsupported * tally.n])}).sums,
                         {"unsupported": unsupported})  # fmt: skip
