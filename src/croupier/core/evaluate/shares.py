"""Were the arms of a log shown as often as its propensities say: the check."""

from collections.abc import Callable, Iterable, Sequence
from typing import Self

import msgspec
import numpy as np

from croupier.core.estimate.balance import Balance, balance
from croupier.core.estimate.cells import Cells
from croupier.core.evaluate.targets import Logged

LEAST = 25.0
"""So many effective rounds of an arm make a sum of its weights about as good as normal."""

NOTHING = "no rounds to evaluate on"
"""What is said of a log without any: nothing was checked."""


class ShownArm(msgspec.Struct, frozen=True):
    """One arm: `shown` in so many of the `rounds` that offered it, where `expected` were to be."""

    arm: str
    shown: int
    expected: float | None
    rounds: int
    z: float


class ShareCheck(msgspec.Struct, frozen=True):
    """What `croupier evaluate --check` answers: `p` over all arms, however often one looks."""

    rounds: int
    p: float
    alarm: bool
    text: str
    arms: list[ShownArm]


class Shares:
    """n, Σ1/p and Σ1/p² of each position and arm; and, of the rounds that offered it, n and Σ1/p.

    Where a log does not tell whom it offered, an arm that a position ever showed was offered to
    all rounds there. Such an arm is judged from `LEAST` effective rounds, (Σ1/p)²/Σ1/p², on:
    before, a propensity that is small at times, and was not drawn yet, may explain what is missing.
    """

    def __init__(self) -> None:
        self._table = np.zeros((5, 0, 0))
        self._range = 1.0, 0.0

    @classmethod
    def of(cls, parts: Iterable[Logged], progress: Callable[[int], None]) -> Self:
        """Count all parts, and tell how many rounds each has."""
        made = cls()
        for part in parts:
            made.add(part)
            progress(len(part.arm))
        return made

    def add(self, part: Logged) -> None:
        """Count some rounds."""
        arms = int(part.arm.max(initial=-1)) + 1
        if part.offered is not None:
            arms = max(arms, part.offered.shape[1])
        self._grow(int(part.position.max(initial=-1)) + 1, arms)
        low, high = self._range
        self._range = (
            min(low, float(part.propensity.min(initial=1.0))),
            max(high, float(part.propensity.max(initial=0.0))),
        )
        w = 1.0 / part.propensity
        for line, values in enumerate((np.ones_like(w), w, w * w)):
            np.add.at(self._table[line], (part.position, part.arm), values)
        if part.offered is not None:
            known = part.offered.shape[1]
            offered = np.nan_to_num(part.offered) > 0
            inverse = np.divide(1.0, part.offered, out=np.zeros(offered.shape), where=offered)
            np.add.at(self._table[3][:, :known], part.position, offered)
            np.add.at(self._table[4][:, :known], part.position, inverse)

    def _grow(self, positions: int, arms: int) -> None:
        _, known_positions, known_arms = self._table.shape
        grown = np.zeros((5, max(positions, known_positions), max(arms, known_arms)))
        grown[:, :known_positions, :known_arms] = self._table
        self._table = grown

    def check(
        self, positions: Iterable[str], arms: Sequence[str], least: float | None = None
    ) -> ShareCheck:
        """Whether chance explains how often each arm was shown; one period for each position.

        No arm was drawn with a smaller propensity than the `least`; where nobody says that, it is
        what rounds had, or what the largest of theirs left each of the other arms.

        >>> shares, zero = Shares(), np.zeros(4, dtype=np.int64)
        >>> half = np.full(4, 0.5)
        >>> shares.add(Logged(np.array([0, 1, 1, 0]), zero, zero, half, half))
        >>> shares.check([""], ["x", "y"]).text
        'every arm was shown as often as its propensities say (p = 1)'
        """
        if not self._table[0].any():
            return ShareCheck(rounds=0, p=1.0, alarm=False, text=NOTHING, arms=[])
        self._grow(len(list(positions)), len(arms))
        n, w, w2, offered, inverse = self._table
        rounds = n.sum(axis=1, keepdims=True)
        told = offered.any(axis=1, keepdims=True)
        part = np.where(told, offered / np.maximum(rounds, 1.0), (n > 0).astype(np.float64))
        nothing = np.zeros_like(n)
        cells = Cells(n, nothing, nothing, w, w2, nothing, nothing, nothing)
        scatter = np.where(told, inverse - offered, np.nan)
        low, high = self._range
        seen = min(low, (1.0 - high) / max(len(arms) - 1, 1))
        found = balance(
            cells, part, max(float(rounds.sum()), 1.0), scatter, least=least or max(seen, 0.0)
        )
        effective = w.sum(axis=0) ** 2 / np.maximum(w2.sum(axis=0), 1.0)
        judged = told.all() | (effective >= LEAST)
        found = found._replace(p=np.where(judged, found.p, 1.0))
        good = f"every arm was shown as often as its propensities say (p = {found.least:.2g})"
        return ShareCheck(
            rounds=int(rounds.sum()),
            p=found.least,
            alarm=found.alarm,
            text=found.words(arms, "rounds") if found.alarm else good,
            arms=[_shown(name, k, found) for k, name in enumerate(arms)],
        )


def _shown(name: str, k: int, found: Balance) -> ShownArm:
    seen, meant = int(found.seen[k]), float(found.expected[k])
    return ShownArm(
        name, seen, meant if seen else None, round(float(found.trials[k])), float(found.z[k])
    )
