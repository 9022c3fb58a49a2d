"""Rankings: what estimators need of positions and of what stands above."""

from typing import NamedTuple

import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.evaluate.rounds import Columns


class Rankings(NamedTuple):
    """One row a ranking, one column a position, the first at the top.

    `slot` is target/logged of "this arm at this position", whatever stands elsewhere. `choice` is
    target/logged of the arm given the arms above it: its running product weighs whole prefixes.
    `model` is q(prefix), what a reward model learned elsewhere expects of this position and all
    below it, and `expected` the target's mean of it given the arms above; None without a model.
    """

    reward: FloatArray
    slot: FloatArray
    choice: FloatArray
    model: FloatArray | None = None
    expected: FloatArray | None = None


def ranking_columns(rankings: Rankings) -> Columns:
    """Per ranking the terms of three estimators of the mean reward of a whole ranking.

    item_position = Σ_l slot_l·r_l. cascade = Σ_l v_l·r_l with v_l = Π_{j≤l} choice_j.
    cascade_dr = Σ_l v_{l−1}·expected_l + v_l·(r_l − model_l), with v_0 = 1 and model_l the rewards
    expected from position l down. Each with its square; w is the weight of the whole ranking.

    >>> two = np.array([[1.0, 1.0]])
    >>> found = ranking_columns(Rankings(two, slot=2 * two, choice=2 * two))
    >>> found["item_position"].tolist(), found["cascade"].tolist()
    ([4.0], [6.0])

    Source: Li et al. 2018, Offline Evaluation of Ranking Policies with Click Models
    (item-position); McInerney et al. 2020, Counterfactual Evaluation of Slate Recommendations with
    Sequential Reward
    Interactions (cascade weights); Kiyohara et al. 2022, Doubly Robust Off-Policy Evaluation for
    Ranking Policies under the Cascade Behavior Model.
    """
    prefix = np.cumprod(rankings.choice, axis=1)
    terms = {
        "item_position": rankings.slot * rankings.reward,
        "cascade": prefix * rankings.reward,
    }
    if rankings.model is not None and rankings.expected is not None:
        above = np.concatenate([np.ones_like(prefix[:, :1]), prefix[:, :-1]], axis=1)
        surprise = rankings.reward - rankings.model
        terms["cascade_dr"] = above * rankings.expected + prefix * surprise
    sums = {name: term.sum(axis=1) for name, term in terms.items()}
    w = prefix[:, -1]
    return {"w": w, "w2": w * w, **sums, **{f"{name}2": x * x for name, x in sums.items()}}
