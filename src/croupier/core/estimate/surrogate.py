"""A late metric predicted from early signals: a reward that need not wait for it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from croupier.core.arms.panels import FloatArray
from croupier.core.signals import Doubt, Signal

RIDGE = 1.0
"""Trials of evidence that each signal is worth nothing; it matters while there are few."""
LEAST_APART = 10.0
"""Trials in which a signal must differ from what the others say of it, N(1 − R²), at least."""
_ROUNDING = 1e-12


class CollinearError(ValueError):
    """Signals that follow from the others: no trials can say which of them is worth what."""

    def __init__(self, columns: Sequence[int], trials: int) -> None:
        self.columns = tuple(columns)
        which = ", ".join(map(str, columns))
        super().__init__(
            f"signals {which}: each follows from the others in these {trials:,} trials "
            f"(fewer than {LEAST_APART:.0f} of them tell it apart)"
        )


class Surrogate(NamedTuple):
    """late = base + Σ weight·signal, with the standard errors of the weights.

    `explained` is the part of the late metric's variance that the signals account for. `middle` are
    the means of the signals that it was fitted on, `covariance` that of the weights.
    """

    base: float
    weights: FloatArray
    errors: FloatArray
    explained: float
    trials: int
    middle: FloatArray
    covariance: FloatArray

    def doubt(self, mean_signals: FloatArray) -> FloatArray:
        """How uncertain the weights leave an arm's mean, as a variance: (x̄ − c)ᵀ Σ (x̄ − c).

        x̄ are the arm's mean signals, shape (…, k), c those of the fit: there the line goes through
        the late metric's own mean whatever the weights are. What is left of the error, that of this
        mean, is the same for all arms. The variance of Σ weight·signal over the arm's own trials,
        by n, comes on top.

        >>> x = np.array([[0.0], [1.0]] * 500)
        >>> late = 0.1 + 0.2 * x[:, 0] + np.tile([0.05, 0.05, -0.05, -0.05], 250)
        >>> np.sqrt(Surrogate.fit(x, late).doubt(np.array([[0.5], [0.9]]))).round(4).tolist()
        [0.0, 0.0013]

        Source: Draper & Smith 1998, Applied Regression Analysis, § 3.1; Athey, Chetty, Imbens &
        Kang 2019, The Surrogate Index: the index is estimated in another sample than the arms' own.
        """
        return Doubt(self.middle, self.covariance).variance(mean_signals)

    def signals(self, kinds: Sequence[str]) -> dict[str, Signal]:
        """What a declaration says beside the weights of its reward, in order of the columns."""
        # The sandwich is symmetric but for rounding.
        rows = ((self.covariance + self.covariance.T) / 2).tolist()
        return {
            kind: Signal(mean, dict(zip(kinds, row, strict=True)))
            for kind, mean, row in zip(kinds, self.middle.tolist(), rows, strict=True)
        }

    @classmethod
    def fit(cls, signals: FloatArray, late: FloatArray) -> Self:
        """Ridge least squares in closed form, of matured trials; shapes (N, k) and (N,).

        With X the signals less their means, each in units of its own deviation, and y likewise
        less its mean: b = (XᵀX + λI)⁻¹ Xᵀy, and errors by the sandwich
        (XᵀX + λI)⁻¹ (Σ e² x xᵀ) (XᵀX + λI)⁻¹ N/(N − k − 1), which does not ask that late metrics
        scatter alike. A signal that never varies has weight 0. One that follows from the others
        is refused: along what they share only the ridge decides, which has no error.

        >>> x = np.array([[0.0], [1.0]] * 500)
        >>> found = Surrogate.fit(x, 0.1 + 0.2 * x[:, 0] + np.tile([0.05, 0.05, -0.05, -0.05], 250))
        >>> round(found.base, 2), found.weights.round(2).tolist(), found.errors.round(4).tolist()
        (0.1, [0.2], [0.0032])

        Raises:
            ValueError: if there are not at least two trials more than signals.
            CollinearError: if some follow from the others.

        Source: Athey, Chetty, Imbens & Kang 2019, The Surrogate Index; Hoerl & Kennard 1970; White
        1980.
        """
        trials, kinds = signals.shape
        if trials < kinds + 2:
            raise ValueError(f"{kinds} signals need at least {kinds + 2} matured trials")
        means, deviations = signals.mean(axis=0), signals.std(axis=0)
        varies = deviations > _ROUNDING * np.abs(means)
        scale = np.where(varies, deviations, 1.0)
        x, y = np.where(varies, (signals - means) / scale, 0.0), late - late.mean()
        if columns := _collinear(x, varies):
            raise CollinearError(columns, trials)
        inverse = np.linalg.inv(x.T @ x + RIDGE * np.eye(kinds))
        b = inverse @ (x.T @ y)
        e = y - x @ b
        bread = inverse * (trials / (trials - kinds - 1))
        covariance = bread @ ((x * (e * e)[:, None]).T @ x) @ inverse / np.outer(scale, scale)
        errors = np.sqrt(np.diag(covariance))
        weights, whole = b / scale, float(y @ y)
        explained = 1.0 - float(e @ e) / whole if whole else 0.0
        base = float(late.mean() - means @ weights)
        return cls(base, weights, errors, explained, trials, means, covariance)


def _collinear(x: FloatArray, varies: NDArray[np.bool_]) -> list[int]:
    """The columns of which N(1 − R²) is too small, x in units of its deviations.

    1 − R² of a column on the others is 1/(C⁻¹)ⱼⱼ, C the correlations: Σ vⱼᵢ²/λᵢ, inverted.
    """
    among = np.flatnonzero(varies & np.isfinite(x).all(axis=0))
    if len(among) < 2:
        return []
    trials = len(x)
    size, directions = np.linalg.eigh(x[:, among].T @ x[:, among] / trials)
    apart = trials / (directions**2 / np.maximum(size, _ROUNDING)).sum(axis=1)
    return [int(column) for column in among[apart < LEAST_APART]]


class Drift(NamedTuple):
    """What is left of the late metric once the signals are paid for: per trial, error, z."""

    trials: int
    left: float
    error: float
    z: float


def drifts(
    signals: FloatArray, late: FloatArray, weights: FloatArray, arms: Sequence[str]
) -> Mapping[str, Drift]:
    """By arm, how far late − Σ weight·signal lies from its mean over all arms.

    A base that moves is the same for all arms, and misleads nobody. An arm that is left with more
    or less than the others earns in a way that the signals do not show: for it the reward is
    wrong, and |z| > 3 in a sound one comes by chance once in 370 arms.

    >>> x, late = np.zeros((4, 1)), np.array([1.0, 3.0, 5.0, 7.0])
    >>> found = drifts(x, late, np.array([0.2]), ["a", "a", "b", "b"])
    >>> found["b"].left, round(found["b"].z, 2)
    (2.0, 2.83)

    Source: Prentice 1989, Surrogate endpoints in clinical trials: the late metric does not depend
    on the arm once the signals are known.
    """
    left = late - signals @ weights
    names = np.array(arms)
    found = {}
    for name in sorted(set(arms)):
        own, others = left[names == name], left[names != name]
        away = float(own.mean() - left.mean())
        # The mean over all holds the arm's own trials: away = share of others · (own − others).
        share = len(others) / len(left)
        error = share * float(np.sqrt(_error2(own, left) + _error2(others, left)))
        found[name] = Drift(len(own), away, error, away / error if error else 0.0)
    return found


def _error2(values: FloatArray, left: FloatArray) -> float:
    """The squared standard error of a mean; one trial scatters as all of them do."""
    scatter = values if len(values) > 1 else left
    return float(scatter.var(ddof=1)) / len(values) if len(scatter) > 1 and len(values) else 0.0
