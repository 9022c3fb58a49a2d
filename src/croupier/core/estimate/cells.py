"""Sums by period as arrays: what estimates are functions of."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from croupier.core.arms.groups import GROUPS, split_stratum
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.scatter import beyond_rounding, within
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.reward import MICRO

_UNITS = np.array([float(MICRO) ** power for power in (0, 1, 2, 1, 2, 2, 3, 4)])

_ROUNDING, _SEVERAL = 1e-9, 1.5


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

    @staticmethod
    def periods(
        rows: Mapping[StateKey, Sums], columns: Sequence[tuple[str, int]]
    ) -> list[tuple[int, int]]:
        """The starts of the periods, each with its slot, in the order in which `of` has them."""
        wanted = set(columns)
        return sorted({(k.period, k.slot) for k in rows if (k.stratum, k.arm) in wanted})

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
        lines = {period: line for line, period in enumerate(cls.periods(rows, columns))}
        table = np.zeros((len(_UNITS), len(lines), len(columns)))
        for key, sums in known:
            line, place = lines[key.period, key.slot], places[key.stratum, key.arm]
            table[:, line, place] += np.array([float(each) for each in sums]) / _UNITS
        return cls(*table)

    @classmethod
    def by_slot(cls, rows: Mapping[StateKey, Sums], columns: Sequence[tuple[str, int]]) -> "Cells":
        """The same slot by slot: what asks for the period before asks for that of its slot.

        >>> rows = {StateKey("b", 0, slot, 1, "policy", start): Sums.of(MICRO * start, 1.0)
        ...         for slot, start in ((1, 0), (0, 2), (0, 1))}
        >>> Cells.by_slot(rows, [("policy", 0)]).r.ravel().tolist()
        [1.0, 2.0, 0.0]
        """
        return cls.of(rows, columns).lines(cls.slot_by_slot(cls.periods(rows, columns)))

    @staticmethod
    def slot_by_slot(periods: Sequence[tuple[int, int]]) -> list[int]:
        """The lines of `periods` in the order in which `by_slot` has them.

        >>> Cells.slot_by_slot([(0, 0), (0, 1), (9, 0)])
        [0, 2, 1]
        """
        return sorted(range(len(periods)), key=lambda line: periods[line][::-1])

    @classmethod
    def by_group(cls, rows: Mapping[StateKey, Sums], columns: Sequence[tuple[str, int]]) -> Self:
        """The same by group of units over all time and slots, shape (G, K), w = 1/√propensity.

        All is 0 where none are kept.
        """
        places = {column: place for place, column in enumerate(columns)}
        table = np.zeros((len(_UNITS), GROUPS, len(columns)))
        for key, sums in rows.items():
            group, stratum = split_stratum(key.stratum)
            if group is not None and (stratum, key.arm) in places:
                place = places[stratum, key.arm]
                table[:, group, place] += np.array([float(each) for each in sums]) / _UNITS
        return cls(*table)

    @classmethod
    def in_units(cls, sums: FloatArray) -> Self:
        """Of exact sums, shape (8, …)."""
        return cls(*(each / unit for each, unit in zip(sums, _UNITS, strict=True)))

    def arms(self, places: Sequence[int] | slice) -> "Cells":
        """Some arms: shape (…, T, K) → (…, T, k)."""
        return Cells(*(each[..., places] for each in self))

    def arm(self, place: int) -> "Cells":
        """The periods of one arm: shape (…, T, K) → (…, T)."""
        return Cells(*(each[..., place] for each in self))

    def lines(self, lines: Sequence[int]) -> "Cells":
        """Some periods, or all in another order: shape (T, K) → (t, K)."""
        return Cells(*(each[lines] for each in self))

    def together(self) -> "Cells":
        """All arms as if they were one: shape (…, T, K) → (…, T)."""
        return Cells(*(each.sum(axis=-1) for each in self))

    def without(self, some: "Cells") -> "Cells":
        """All trials but some of them.

        Beside others of 10⁹ times their weight, Σw and Σw² of those that are left are lost to
        rounding: they are then the least that so many trials can have, n and (Σw)²/n.

        >>> one, rare = Cells(*np.full((8, 1), 3.0)), Cells(*np.array([[1.0]] * 3 + [[1e18]] * 5))
        >>> Cells(*np.add(one, rare)).without(rare).w2.tolist()
        [3.0]
        """
        left = Cells(*(each - part for each, part in zip(self, some, strict=True)))
        w = np.maximum(left.w, left.n)
        return left._replace(w=w, w2=np.maximum(left.w2, w**2 / np.maximum(left.n, 1.0)))

    def turned(self) -> "Cells":
        """Periods last: shape (T, K) → (K, T)."""
        return Cells(*(each.T for each in self))

    def plain(self) -> "Cells":
        """The same trials, each with a weight of 1: as they came."""
        return Cells(self.n, self.r, self.r2, self.n, self.n, self.r, self.r, self.r2)

    def mean(self) -> FloatArray:
        """Σwr/Σw of each period (Hájek): that of all visits, whatever its shares did meanwhile."""
        return self.wr / np.where(self.n > 0, self.w, 1.0)

    def effective(self) -> FloatArray:
        """(Σw)²/Σw²: so many trials of one weight would say as much (Kish); n where w is constant.

        >>> two = Cells(*[np.array([each]) for each in (2.0, 1.0, 1.0, 12.0, 104.0, 2.0, 4.0, 4.0)])
        >>> two.effective().round(2).tolist()
        [1.38]
        """
        return self.w**2 / np.where(self.n > 0, self.w2, 1.0)

    def steady(self) -> NDArray[np.bool_]:
        """Whether all trials of a period had the same propensity."""
        return np.asarray(self.n - self.effective() <= _ROUNDING * self.n)

    def variance(self) -> FloatArray:
        """The variance of a reward, period by period, of one arm: shape (…, T).

        Each trial counts alike, or by w², as in the variance of `mean`, if that is larger: a few
        heavy trials that happened to fail do not seem to scatter, nor do many light ones.
        """
        worth, mean = self.effective(), self.mean()
        off = self.w2r2 - 2.0 * mean * self.w2r + mean**2 * self.w2
        scatter = beyond_rounding(off, self.w2r2)
        several = worth > _SEVERAL
        factor = np.where(several, worth, 0.0) / np.where(several, worth - 1.0, 1.0)
        weighted = factor * scatter / np.where(self.n > 0, self.w2, 1.0)
        return np.maximum(weighted, within(self.n, self.r, self.r2, -1))


def before(values: FloatArray, known: NDArray[np.bool_]) -> FloatArray:
    """Of each period, the value of the last one before it that is known; of the first its own.

    >>> before(np.array([0.5, 0.4, 0.3]), np.array([True, False, True])).tolist()
    [0.5, 0.5, 0.5]
    """
    places = np.where(known, np.arange(values.shape[-1]), -1)
    last = np.maximum.accumulate(places, axis=-1)
    last = np.concatenate([np.full_like(last[..., :1], -1), last[..., :-1]], axis=-1)
    found = np.take_along_axis(values, np.maximum(last, 0), axis=-1)
    return np.asarray(np.where(last >= 0, found, values))
