"""Rounds of a log as columns: rewards, weights, and what a reward model expected."""

from typing import NamedTuple

from croupier.core.arms.panels import FloatArray

Columns = dict[str, FloatArray]
"""Named columns of one length; what a tally sums."""


class Rounds(NamedTuple):
    """One row a round of a single choice (or of one position of a ranking).

    `logged` and `target` are the probabilities with which the logging and the target policy show
    what was shown. `model` is q(shown), what a reward model learned elsewhere expects of it, and
    `expected` Σ_a target(a)·q(a); None where there is no model. `unsupported` is the share of the
    target's probability on arms that the log cannot show (None: no such arm), and `spread` the
    mean of w² over what could have been drawn, where the log tells all propensities.
    """

    reward: FloatArray
    logged: FloatArray
    target: FloatArray
    model: FloatArray | None = None
    expected: FloatArray | None = None
    unsupported: FloatArray | None = None
    spread: FloatArray | None = None


def columns(rounds: Rounds) -> Columns:
    """The columns that the estimators of `estimators.py` are functions of.

    w = target/logged and r the reward: r, r², w, w², wr, w²r, w²r²; with a model also
    dr = expected + w·(r − model), its square, dm = expected, and model.

    >>> import numpy as np
    >>> one = columns(Rounds(np.array([1.0]), np.array([0.25]), np.array([0.5])))
    >>> {name: column.tolist() for name, column in one.items() if name in ("w", "wr", "w2r2")}
    {'w': [2.0], 'wr': [2.0], 'w2r2': [4.0]}
    """
    r, w = rounds.reward, rounds.target / rounds.logged
    wr = w * r
    found = {"r": r, "r2": r * r, "w": w, "w2": w * w, "wr": wr, "w2r": w * wr, "w2r2": wr * wr}
    if rounds.unsupported is not None:
        found["unsupported"] = rounds.unsupported
    if rounds.spread is not None:
        found["spread"] = rounds.spread
    if rounds.model is not None and rounds.expected is not None:
        dr = rounds.expected + w * (r - rounds.model)
        found |= {"dr": dr, "dr2": dr * dr, "dm": rounds.expected, "model": rounds.model}
    return found
