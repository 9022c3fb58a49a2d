"""Signals: outcome kinds whose weights were fitted, and how uncertain those are."""

import math
from collections.abc import Iterator, Mapping
from typing import Self

import msgspec
import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.reward import MOST_REWARD, Reward

_COLUMN = ":signal"
_SLACK = 1e-6
"""By how much a covariance may be off, as a part of what it can be at most: numbers are printed."""


class Signal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One signal: its `mean` in the trials of the fit, and how its weight varies with the others.

    `covariance` is that of its weight with the weight of each signal, its own among them: the
    square of its standard error.
    """

    mean: float
    covariance: dict[str, float]


Signals = Mapping[str, Signal]
"""The signals of a surrogate, by outcome kind."""


def signal_column(kind: str) -> str:
    """The name under which values of a signal are kept; no guardrail's ends like it.

    >>> signal_column("click"), signal_of("click:signal"), signal_of("refund:ac42abab")
    ('click:signal', 'click', '')
    """
    return f"{kind}{_COLUMN}"


def signal_of(column: str) -> str:
    """The signal whose values are kept under a name; empty where they are something else's."""
    return column.removesuffix(_COLUMN) if column.endswith(_COLUMN) else ""


class Doubt(msgspec.Struct, frozen=True):
    """How uncertain fitted weights leave a mean: `middle` is c, `covariance` is Σ."""

    middle: FloatArray
    covariance: FloatArray

    @classmethod
    def of(cls, signals: Signals) -> Self:
        """From what is declared, in its order."""
        rows = [[one.covariance[kind] for kind in signals] for one in signals.values()]
        means, count = [one.mean for one in signals.values()], len(signals)
        return cls(np.array(means, np.float64), np.array(rows, np.float64).reshape(count, count))

    def variance(self, mean_signals: FloatArray) -> FloatArray:
        """The variance (x̄ − c)ᵀ Σ (x̄ − c), for mean signals x̄ of shape (…, k); never below 0.

        >>> doubt = Doubt(np.array([0.2, 0.1]), np.array([[0.04, -0.01], [-0.01, 0.09]]))
        >>> doubt.variance(np.array([[0.2, 0.1], [0.3, 0.2]])).round(6).tolist()
        [0.0, 0.0011]

        Source: Draper & Smith 1998, Applied Regression Analysis, § 3.1.
        """
        away = mean_signals - self.middle
        found = np.einsum("...i,ij,...j->...", away, self.covariance, away)
        return np.asarray(np.maximum(found, 0.0))


def signal_problems(signals: Signals, reward: Reward) -> Iterator[tuple[str, str]]:
    """What is wrong with a surrogate of this reward, as (key, reason); the first of each sort."""
    for kind, one in signals.items():
        if kind not in reward.terms:
            yield kind, "not an outcome kind of the reward"
            continue
        # A term that cannot be used is told of where the reward is.
        unusable = reward.terms[kind].problem() is not None
        most = MOST_REWARD if unusable else reward.counting(kind).bounds[1]
        if not 0 <= one.mean <= most * (1.0 + _SLACK):
            counted = f"expected 0 to {most:g}, the most that the reward counts of it"
            yield f"{kind}.mean", f"{counted}, got {one.mean:g}"
    found = next(_row_problems(signals), None) or next(_pair_problems(signals), None)
    if found is None and _curved(signals):
        reason = "not positive semidefinite: some sum of these weights would vary by less than 0"
        found = f"{next(iter(signals))}.covariance", reason
    if found:
        yield found


def _row_problems(signals: Signals) -> Iterator[tuple[str, str]]:
    """Rows that do not name each signal, with a number that can be one."""
    for kind, one in signals.items():
        for other in [*signals, *one.covariance]:
            key = f"{kind}.covariance"
            if other not in one.covariance:
                yield key, f"{other} is missing: it needs each signal of the surrogate"
            elif other not in signals:
                yield key, f"{other} is not a signal of this surrogate"
            elif not abs(one.covariance[other]) <= MOST_REWARD**2:
                got = one.covariance[other]
                yield f"{key}.{other}", f"expected a number up to {MOST_REWARD**2:g}, got {got}"
        if one.covariance.get(kind, 0.0) < 0:
            yield f"{kind}.covariance.{kind}", "a squared error cannot be below 0"


def _pair_problems(signals: Signals) -> Iterator[tuple[str, str]]:
    """Covariances that two signals do not agree on, or larger than their errors permit."""
    for kind, one in signals.items():
        for other, value in one.covariance.items():
            back = signals[other].covariance[kind]
            most = math.sqrt(one.covariance[kind]) * math.sqrt(signals[other].covariance[other])
            key = f"{kind}.covariance.{other}"
            if abs(value - back) > _SLACK * max(abs(value), abs(back), most):
                yield key, f"not symmetric: {value:g} here, {back:g} in {other}.covariance.{kind}"
            if abs(value) > most * (1.0 + _SLACK):
                yield key, f"at most {most:g}, the product of both standard errors"


def _curved(signals: Signals) -> bool:
    """Whether the covariances, in units of the standard errors, have an eigenvalue below 0."""
    sigma = Doubt.of(signals).covariance
    errors = np.sqrt(np.diag(sigma))
    unit = np.where(errors > 0, errors, 1.0)
    return bool(np.linalg.eigvalsh(sigma / np.outer(unit, unit)).min() < -_SLACK)
