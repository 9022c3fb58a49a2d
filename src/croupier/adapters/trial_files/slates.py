"""CSV and Parquet with a row a slot: the rows of one ranking are its slate."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from croupier.adapters.trial_files.roles import NEEDED, RoleTable
from croupier.adapters.trial_files.rows import (
    LEAST_PROPENSITY,
    RefusedRows,
    Row,
    UnusableRowError,
    checked,
    no_propensity,
    number_of,
)
from croupier.core.evaluate.model import FOLDS
from croupier.core.evaluate.slates import Slates

UNTOLD = (
    "the log does not tell how likely an arm was, given the arms above it: no column for choice"
)


STRAY = 0.01
"""A position that at most this part of the rankings has, or a single one, is no slot of theirs."""


class _Slot(NamedTuple):
    """One row: the arm in a slot, what it earned, and how likely it was."""

    arm: int
    reward: float
    propensity: float
    choice: float


class TableSlates(RefusedRows):
    """The slates of a table: rows that have one `ranking` in common, `position` by `position`.

    `propensity` is how likely the arm was in its slot, and `choice`, where the table has it, how
    likely given the arms above. Slates that lack a position are counted in `left_out`; a position
    that hardly any ranking has is a wrong row. What a slot
    may earn is in `bounds`, and no slot was filled with a propensity below `least`, where that is
    stated. The file is read once.
    """

    uncounted = UNTOLD

    def __init__(
        self,
        file: Path,
        named: Mapping[str, str],
        bounds: tuple[float, float] = (0.0, 1.0),
        least: float | None = None,
    ) -> None:
        super().__init__()
        needed = (*NEEDED, "position", "ranking")
        self._table = RoleTable(file, named, (*needed, "choice"), needed)
        self.arms: dict[str, int] = {}
        self.bounds, self.rows, self.slots = bounds, 0, 0
        self.heaviest = (math.inf if least is None else 1.0 / least, math.inf)
        self._slates: Slates | None = None

    @property
    def active(self) -> tuple[int, ...]:
        """Every arm of the log."""
        return tuple(self.arms.values())

    def read(self) -> Slates | None:
        """All of them; None when there is none."""
        if not self.rows and not self.wrong_count:
            self._slates = self._read()
        return self._slates

    def _read(self) -> Slates | None:
        found = self._rankings()
        positions = sorted({position for rows in found.values() for position, _ in rows})
        self.slots = len(positions)
        whole = []
        for rows in found.values():
            slate = dict(rows)
            if len(slate) < len(rows):
                self.left_out["slates with two arms in one position"] += 1
            elif len(slate) < self.slots:
                self.left_out["slates with empty slots"] += 1
            elif len({slot.arm for slot in slate.values()}) < self.slots:
                self.left_out["slates that show an arm twice"] += 1
            else:
                whole.append([slate[position] for position in positions])
        if not whole:
            return None
        arm, reward, propensity, choice = np.array(whole).transpose(2, 0, 1)
        fold = np.arange(len(whole)) % FOLDS
        told = choice if "choice" in self._table.roles else None
        return Slates(arm.astype(np.int64), fold, reward, propensity, told)

    def _rankings(self) -> dict[str, list[tuple[int, _Slot]]]:
        """By ranking its positions and what is in them, without rows whose position is stray."""
        rows = [*self._slots()]
        rankings = len({ranking for _, ranking, _, _ in rows})
        having = Counter(position for _, position in {row[1:3] for row in rows})
        found: dict[str, list[tuple[int, _Slot]]] = {}
        for line, ranking, position, slot in rows:
            many = having[position]
            if many < max(having.values()) and many <= max(1, STRAY * rankings):
                has = "ranking has" if many == 1 else "rankings have"
                reason = f"{many:,} of {rankings:,} {has} the position {position:g}"
                self.refuse(line, "position", reason)
            else:
                found.setdefault(ranking, []).append((position, slot))
                self.rows += 1
        return found

    def _slots(self) -> Iterator[tuple[int, str, int, _Slot]]:
        """Of each row that can be used its line, ranking and position, and what is in that slot."""
        for line, row in self._table.read(self):
            try:
                place, slot = _position(row), self._slot(row)
            except UnusableRowError as error:
                self.refuse(line, error.column, error.reason)
            else:
                yield line, row.ranking, place, slot

    def _slot(self, row: Row) -> _Slot:
        reward, propensity, choice = checked(row, "choice", row.choice)
        if "choice" in self._table.roles and choice < LEAST_PROPENSITY:
            raise UnusableRowError("choice", no_propensity(row.choice, choice))
        return _Slot(self.arms.setdefault(row.arm, len(self.arms)), reward, propensity, choice)


def _position(row: Row) -> int:
    """Where in its ranking an arm stands; UnusableRowError where the row does not tell."""
    position = number_of(row.position)
    if position is None or position != int(position):
        raise UnusableRowError("position", f"expected a whole number, got {row.position!r:.40}")
    if not row.ranking:
        raise UnusableRowError("ranking", "empty")
    return int(position)
