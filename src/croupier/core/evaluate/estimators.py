"""The registry of off-policy estimators: functions of a tally."""

from collections.abc import Callable
from typing import NamedTuple

from croupier.core.evaluate.intervals import (
    Limits,
    dr_interval,
    ips_interval,
    ranking_interval,
    snips_interval,
)
from croupier.core.evaluate.sequences import Interval
from croupier.core.evaluate.tally import Tally


class Estimator(NamedTuple):
    """How a value and its interval follow from a tally; `needs` names the column it reads."""

    value: Callable[[Tally], float]
    interval: Callable[[Tally, Limits], Interval | None]
    needs: str
    about: str


def ips(tally: Tally) -> float:
    """Σ wr / n: unbiased when the logged propensities are right and nothing is unsupported.

    >>> import numpy as np
    >>> ips(Tally.of({"wr": np.array([4.0, 0.0])}))
    2.0

    Source: Horvitz & Thompson 1952; Li et al. 2011 (arXiv 1003.5956).
    """
    return tally.mean("wr")


def snips(tally: Tally) -> float:
    """Σ wr / Σ w: biased by O(1/n), calmer, and moves with the rewards when they are shifted.

    >>> import numpy as np
    >>> snips(Tally.of({"wr": np.array([4.0, 0.0]), "w": np.array([4.0, 1.0])}))
    0.8

    Source: Swaminathan & Joachims 2015, The Self-Normalized Estimator for Counterfactual Learning.
    """
    w = tally.sum("w")
    return tally.sum("wr") / w if w else 0.0


def _none(tally: Tally, limits: Limits) -> None:
    """No interval: how wrong a model is cannot be seen in its own predictions."""


def _mean_of(name: str) -> Callable[[Tally], float]:
    """The mean of a column."""

    def value(tally: Tally) -> float:
        return tally.mean(name)

    return value


_RANKINGS = {
    "item_position": "rankings: positions do not interact",
    "cascade": "rankings: rewards depend on what stands above",
    "cascade_dr": "the same, with a reward model",
}

ESTIMATORS: dict[str, Estimator] = {
    "ips": Estimator(ips, ips_interval, "wr", "inverse propensity"),
    "snips": Estimator(snips, snips_interval, "wr", "self-normalised"),
    "dm": Estimator(_mean_of("dm"), _none, "dm", "reward model alone"),
    "dr": Estimator(_mean_of("dr"), dr_interval, "dr", "doubly robust"),
    **{
        name: Estimator(_mean_of(name), ranking_interval(name), name, about)
        for name, about in _RANKINGS.items()
    },
}
"""Every estimator, by its name."""
