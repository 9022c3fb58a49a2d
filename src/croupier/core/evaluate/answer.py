"""What a log says of a policy: estimates, or why there are none."""

from typing import Self

import msgspec
import numpy as np

from croupier.core.evaluate.diagnostics import Diagnostics
from croupier.core.evaluate.sequences import Interval


class Estimate(msgspec.Struct, frozen=True, omit_defaults=True):
    """A value, and where the true one lies; None where nothing can be said of that."""

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, value: float, interval: Interval | None) -> Self:
        """An end that is infinite is not known.

        >>> Estimate.of(0.5, Interval(0.25, float("inf")))
        Estimate(value=0.5, low=0.25, high=None)
        """
        low, high = interval or (np.inf, np.inf)
        return cls(value, _finite(low), _finite(high))


def _finite(end: float) -> float | None:
    return float(end) if np.isfinite(end) else None


class Answer(msgspec.Struct):
    """What a log says about a policy: either `estimates`, or `refused` with every reason.

    Where it is refused the numbers are in `refused_estimates`, for whoever looks for the fault. Of
    rankings each estimator stands or is refused alone: `refused_by` says why, by its name.
    `warnings` are what the numbers take to be so, and is not.
    """

    log: str
    policy: str
    rounds: int
    logged: Estimate
    confidence: float
    diagnostics: Diagnostics | None = None
    estimates: dict[str, Estimate] | None = None
    refused: list[str] = []
    refused_estimates: dict[str, Estimate] | None = None
    wrong_rows: int = 0
    wrong: list[str] = []
    left_out: dict[str, int] = {}
    learned_from: int = 0
    refused_by: dict[str, list[str]] = {}
    warnings: list[str] = []
