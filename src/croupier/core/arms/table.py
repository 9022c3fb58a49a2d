"""The sums of an experiment by period, and how they are read and rolled up."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from croupier.core.arms.groups import GroupTable
from croupier.core.arms.maturing import Maturing
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import Reading, StateKey, Sums
from croupier.core.duration import DAY
from croupier.core.reward import MICRO

HOURLY_FOR = 32 * DAY
"""How long periods keep their own length; older ones become whole UTC days."""

_UNITS = np.array([[1.0], [MICRO], [float(MICRO) ** 2]])

_READ = len(_UNITS)
"""So many of the sums are all that posteriors are made of."""


class ArmTable:
    """All sums of one (experiment, reward version, stratum); beside them what is not over yet.

    Where the reward is a surrogate, `signals` hold what the same trials showed, by outcome kind;
    `groups` hold them once more by group of units, where these are kept.

    >>> table = ArmTable()
    >>> table.add(0, 5, Sums.of(MICRO, 0.5))
    >>> table.read((5, 6), watermark=10, period=5, age_weight=np.ones_like)
    Reading(n=(1.0, 0.0), r=(1.0, 0.0), r2=(1.0, 0.0))
    """

    def __init__(self) -> None:
        self._periods: dict[int, dict[int, Sums]] = {}
        self._totals: dict[int, Sums] = {}
        self._columns: dict[int, FloatArray] = {}
        self._arms: tuple[int, ...] = ()
        self._sums = _READ
        self.maturing = Maturing()
        self.signals: dict[str, ArmTable] = {}
        self.groups = GroupTable()

    def add(self, period: int, arm: int, sums: Sums) -> None:
        """Add to the sums of one arm in one period."""
        arms = self._periods.setdefault(period, {})
        arms[arm] = arms.get(arm, Sums()) + sums
        self._totals[arm] = self.total(arm) + sums
        self._columns.pop(period, None)

    def total(self, arm: int) -> Sums:
        """The sums of one arm over all periods, undiscounted."""
        return self._totals.get(arm, Sums())

    def read(
        self,
        arms: Sequence[int],
        watermark: int,
        period: int,
        age_weight: Callable[[FloatArray], FloatArray],
    ) -> Reading:
        """n, Σr and Σr² of each arm, periods weighted by their age against the watermark.

        A period is as old as its end, so that none is forgotten while it lasts; `period` is its
        length. Discounting and sliding windows are this weighting: reading changes nothing.
        """
        self._know(arms)
        total = np.zeros((3, len(arms)))
        for start, weight in self._weights(watermark, period, age_weight):
            total += weight * self._column(start)
        n, r, r2 = (total / _UNITS).tolist()
        return Reading(tuple(n), tuple(r), tuple(r2))

    def periods(
        self, watermark: int, period: int, age_weight: Callable[[FloatArray], FloatArray]
    ) -> tuple[tuple[int, ...], FloatArray]:
        """Every arm that was ever tried, and what `read` adds up, period by period.

        n, Σr and Σr² have the shape (3, T, K). A period's trials are compared with one another,
        also with those of an arm that is no more.

        >>> table = ArmTable()
        >>> table.add(0, 5, Sums.of(MICRO, 0.5))
        >>> table.periods(watermark=10, period=5, age_weight=np.ones_like)[1].tolist()
        [[[1.0]], [[1.0]], [[1.0]]]
        """
        everyone = tuple(sorted({arm for found in self._periods.values() for arm in found}))
        self._know(everyone)
        weighted = [
            weight * self._column(start)
            for start, weight in self._weights(watermark, period, age_weight)
        ]
        columns = np.stack(weighted, axis=1) if weighted else np.zeros((3, 0, len(everyone)))
        return everyone, np.asarray(columns / _UNITS[..., None])

    def all_sums(self, arms: Sequence[int]) -> FloatArray:
        """All eight sums in their own whole units, in order of time, shape (8, T, K).

        Only what was asked for last is kept at hand, here or for `read`: ask a table for one.

        >>> table = ArmTable()
        >>> table.add(5, 0, Sums.of(MICRO, 0.5))
        >>> table.add(0, 0, Sums.of(MICRO, 0.25))
        >>> (table.all_sums((0, 1))[3] / MICRO).tolist()
        [[4.0, 0.0], [2.0, 0.0]]
        """
        self._know(arms, len(Sums._fields))
        columns = [self._column(start) for start in self.starts()]
        none = np.zeros((self._sums, 0, len(arms)))
        return np.stack(columns, axis=1) if columns else none

    def starts(self) -> list[int]:
        """Of which periods there are sums, in order of time."""
        return sorted(self._periods)

    def _know(self, arms: Sequence[int], sums: int = _READ) -> None:
        if (self._arms, self._sums) != (tuple(arms), sums):
            self._arms, self._sums, self._columns = tuple(arms), sums, {}

    def _weights(
        self, watermark: int, period: int, age_weight: Callable[[FloatArray], FloatArray]
    ) -> Iterator[tuple[int, float]]:
        starts = np.fromiter(self._periods, dtype=np.float64)
        rolled_up = starts + DAY + HOURLY_FOR <= watermark
        ends = starts + np.where(rolled_up, DAY, period)
        weights = age_weight(np.maximum(watermark - ends, 0.0))
        for start, weight in zip(self._periods, weights.tolist(), strict=True):
            if weight > 0:
                yield start, weight

    def _column(self, period: int) -> FloatArray:
        column = self._columns.get(period)
        if column is None:
            known, none = self._periods[period], Sums()
            picked = [known.get(arm, none) for arm in self._arms]
            column = np.array([[float(sums[i]) for sums in picked] for i in range(self._sums)])
            self._columns[period] = column
        return column


def roll_up(rows: Mapping[StateKey, Sums], watermark: int) -> dict[StateKey, Sums]:
    """The changes that merge old periods into UTC days: what leaves is taken from what stays.

    >>> key = StateKey("b", 0, 0, 1, "policy", 3_600_000)
    >>> for key, sums in roll_up({key: Sums.of(MICRO, 1.0)}, watermark=40 * DAY).items():
    ...     print(key.period, sums.n)
    3600000 -1
    0 1
    """
    changes: dict[StateKey, Sums] = {}
    for key, sums in rows.items():
        day = key.period // DAY * DAY
        if day != key.period and day + DAY + HOURLY_FOR <= watermark:
            merged = key._replace(period=day)
            changes[key] = Sums(*(-each for each in sums))
            changes[merged] = changes.get(merged, Sums()) + sums
    return changes


def totals(rows: Iterable[tuple[StateKey, Sums]]) -> dict[tuple[str, int, str, int], Sums]:
    """Sums over periods and slots, by (experiment, reward version, stratum, arm)."""
    found: dict[tuple[str, int, str, int], Sums] = {}
    for key, sums in rows:
        place = (key.experiment, key.reward_version, key.stratum, key.arm)
        found[place] = found.get(place, Sums()) + sums
    return found
