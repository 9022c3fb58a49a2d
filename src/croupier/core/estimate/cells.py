"""Sums by period as arrays: what estimates are functions of."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.reward import MICRO

_UNITS = np.array([float(MICRO) ** power for power in (0, 1, 2, 1, 2, 2, 3, 4)])


class Cells(NamedTuple):
    """n, Σr, Σr², Σw, Σw², Σwr, Σw²r, Σw²r² of each period, as plain numbers; w = 1/propensity.

    The last axis is the period of a single arm, shape (…, T), or the arm, shape (…, T, K); axes
    before it are whatever the caller has many of. Where each slot learns by itself, "period" means
    a period of one slot: estimates compare arms within it, and it is all that they need to know.
    """

    n: FloatArray
    r: FloatArray
    r2: FloatArray
    w: FloatArray
    w2: FloatArray
    wr: FloatArray
    w2r: FloatArray
    w2r2: FloatArray

    @classmethod
    def of(cls, rows: Mapping[StateKey, Sums], columns: Sequence[tuple[str, int]]) -> Self:
        """Cells of shape (T, K) in order of time; a column is a stratum and an arm's number.

        >>> rows = {StateKey("b", 0, 0, 1, "policy", 0): Sums.of(MICRO, 0.25)}
        >>> cells = Cells.of(rows, [("policy", 0), ("policy", 1)])
        >>> cells.n.tolist(), cells.wr.tolist()
        ([[1.0, 0.0]], [[4.0, 0.0]])
        """
        places = {column: place for place, column in enumerate(columns)}
        known = [(key, sums) for key, sums in rows.items() if (key.stratum, key.arm) in places]
        periods = sorted({(key.period, key.slot) for key, _ in known})
        lines = {period: line for line, period in enumerate(periods)}
        table = np.zeros((len(_UNITS), len(periods), len(columns)))
        for key, sums in known:
            line, place = lines[key.period, key.slot], places[key.stratum, key.arm]
            table[:, line, place] += np.array([float(each) for each in sums]) / _UNITS
        return cls(*table)

    def arm(self, place: int) -> "Cells":
        """The periods of one arm: shape (…, T, K) → (…, T)."""
        return Cells(*(each[..., place] for each in self))

    def together(self) -> "Cells":
        """All arms as if they were one: shape (…, T, K) → (…, T)."""
        return Cells(*(each.sum(axis=-1) for each in self))

    def variance(self) -> FloatArray:
        """The variance of a reward, period by period: (Σr² − (Σr)²/n)/(n − 1), shape (…, T).

        A period with a single trial says nothing of it and takes what the others say together.

        >>> zero = np.zeros(3)
        >>> cells = Cells(np.array([4.0, 1.0, 0.0]), np.array([2.0, 0.0, 0.0]),
        ...               np.array([2.0, 0.0, 0.0]), zero, zero, zero, zero, zero)
        >>> cells.variance().round(4).tolist()
        [0.3333, 0.3333, 0.3333]
        """
        trials = np.maximum(self.n, 1.0)
        scatter = np.maximum(self.r2 - self.r**2 / trials, 0.0)
        scatter = np.where(self.n > 1.0, scatter, 0.0)
        degrees = np.maximum(self.n - 1.0, 0.0)
        known, all_degrees = scatter.sum(axis=-1), degrees.sum(axis=-1)
        others = np.divide(known, all_degrees, out=np.zeros_like(known), where=all_degrees > 0)
        return np.where(degrees > 0, scatter / np.maximum(degrees, 1.0), others[..., None])
