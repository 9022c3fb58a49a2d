"""Rows of any format, checked one by one, as parts of a log."""

from collections import Counter
from collections.abc import Mapping
from math import isfinite
from typing import NamedTuple

import numpy as np

from croupier.core.evaluate.model import FOLDS
from croupier.core.evaluate.targets import Logged
from croupier.ports import WrongRow

PART = 8192
"""Rounds of one part."""

LEAST_PROPENSITY = 1e-50
"""A smaller one cannot be meant: (reward/propensity)², and sums of it, are to stay finite."""

LARGEST_REWARD = 1e50
"""A larger one, of either sign, cannot be meant, either."""

_NAMED = 20


class UnreadableFileError(Exception):
    """A file that holds no log of trials: its name, and why."""


class Row(NamedTuple):
    """One round as it stands in a file: texts, and the propensities of all that was offered."""

    arm: str
    reward: object
    propensity: object
    position: str = ""
    target: object = None
    offered: Mapping[str, float] | None = None
    ranking: str = ""
    choice: object = None


class UnusableRowError(ValueError):
    """Why a row cannot be used: the column, and what is wrong with it."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"{column}: {reason}")
        self.column, self.reason = column, reason


class RefusedRows:
    """Counts rows that cannot be used, and names the first of them."""

    def __init__(self) -> None:
        self.left_out: dict[str, int] = Counter()
        self.restart()

    def restart(self) -> None:
        """Read from the beginning again."""
        self.wrong: list[WrongRow] = []
        self.wrong_count = 0

    def refuse(self, line: int, column: str, reason: str, *, rows: int = 1) -> None:
        """Leave a row out, or so many together, and say so."""
        self.wrong_count += rows
        if len(self.wrong) < _NAMED:
            self.wrong.append(WrongRow(line, column, reason))


class Rows(RefusedRows):
    """Takes rows, keeps those that can be used, names those that cannot."""

    def __init__(self) -> None:
        self.arms: dict[str, int] = {}
        self.positions: dict[str, int] = {}
        super().__init__()

    def restart(self) -> None:
        """Read from the beginning again; numbers of arms and positions stay."""
        super().restart()
        self.rounds = 0
        self._rows: list[tuple[int, int, int, float, float, float]] = []
        self._offered: list[Mapping[str, float]] = []

    @property
    def full(self) -> bool:
        """Whether a part is complete."""
        return len(self._rows) >= PART

    def add(self, line: int, row: Row) -> None:
        """Take a row, or leave it out for the first thing that is wrong with it."""
        try:
            reward, propensity, target = checked(row, "target", row.target)
        except UnusableRowError as error:
            self.refuse(line, error.column, error.reason)
            return
        arm = self.arms.setdefault(row.arm, len(self.arms))
        position = self.positions.setdefault(row.position, len(self.positions))
        fold = self.rounds % FOLDS
        self.rounds += 1
        self._rows.append((arm, position, fold, reward, propensity, target))
        if row.offered is not None:
            self._offered.append(row.offered)
            for name in row.offered:
                self.arms.setdefault(name, len(self.arms))

    def take(self, *, with_target: bool = False) -> Logged:
        """The rows so far as a part of a log."""
        whole = np.array([row[:3] for row in self._rows], dtype=np.int64).reshape(-1, 3)
        real = np.array([row[3:] for row in self._rows], dtype=np.float64).reshape(-1, 3)
        offered = None
        if self._offered:
            offered = np.full((len(self._rows), len(self.arms)), np.nan)
            for place, shares in enumerate(self._offered):
                offered[place, [self.arms[name] for name in shares]] = [*shares.values()]
        self._rows, self._offered = [], []
        arm, position, fold = whole.T
        reward, propensity, target = real.T
        told = target if with_target else None
        return Logged(arm, position, fold, reward, propensity, offered, told)


def checked(row: Row, beside: str, probability: object) -> tuple[float, float, float]:
    """Reward and propensity of a row, and another `probability` `beside` them (0 where None).

    Raises UnusableRowError for the first thing that is wrong.
    """
    reward, propensity = number_of(row.reward), number_of(row.propensity)
    other = 0.0 if probability is None else number_of(probability)
    if not row.arm:
        raise UnusableRowError("action", "empty")
    if reward is None or abs(reward) > LARGEST_REWARD:
        raise UnusableRowError("reward", _no_reward(row.reward, reward))
    if propensity is None or not LEAST_PROPENSITY <= propensity <= 1:
        raise UnusableRowError("propensity", no_propensity(row.propensity, propensity))
    if other is None or not 0 <= other <= 1:
        raise UnusableRowError(beside, f"expected a probability, got {probability!r:.40}")
    return reward, propensity, other


def _no_reward(said: object, reward: float | None) -> str:
    wanted = "a number" if reward is None else f"at most {LARGEST_REWARD:g} of either sign"
    return f"expected {wanted}, got {said!r:.40}"


def no_propensity(said: object, propensity: float | None) -> str:
    """Why a value cannot be the probability of what was drawn."""
    small = propensity is not None and 0 < propensity < LEAST_PROPENSITY
    wanted = f"at least {LEAST_PROPENSITY:g}" if small else "a probability above 0, at most 1"
    return f"expected {wanted}, got {said!r:.40}"


def number_of(value: object) -> float | None:
    """A finite number, or None."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) else None
