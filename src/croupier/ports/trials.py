"""Logs of trials that somebody else may have written, for off-policy evaluation."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from croupier.core.evaluate.slates import Slates
from croupier.core.evaluate.targets import Logged


class WrongRow(NamedTuple):
    """A row that a trial log cannot use: its line, the column, and why."""

    line: int
    column: str
    reason: str


class TrialLog(Protocol):
    """Rounds that somebody logged: who was shown what, with which probability, what it earned."""

    arms: dict[str, int]
    """Names of arms → their numbers; complete after the first reading."""
    positions: dict[str, int]
    wrong: list[WrongRow]
    """Some of the rows left out in the last reading; `wrong_count` counts all."""
    wrong_count: int
    left_out: dict[str, int]
    """Rounds that are in order and not of use here: how many, by why."""

    def parts(self) -> Iterator[Logged]:
        """The rounds in their order, some thousands at a time; may be read again."""


class SlateLog(Protocol):
    """Slates that somebody logged: which arms in which slots, how likely, what each earned.

    Names and counts are complete after the reading.
    """

    arms: dict[str, int]
    wrong: list[WrongRow]
    wrong_count: int
    left_out: dict[str, int]

    @property
    def rows(self) -> int:
        """How many rows could be read; 0 where nothing is read by row."""

    @property
    def slots(self) -> int:
        """How many a slate has."""

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the most that one slot can earn."""

    @property
    def active(self) -> Sequence[int]:
        """The arms that a uniform ranking is made of."""

    @property
    def heaviest(self) -> tuple[float, float]:
        """1 over the least share of any (arm, slot), and of any ranking; may be infinite."""

    @property
    def uncounted(self) -> str:
        """Why slates do not tell how likely an arm was given those above, where they do not."""

    def read(self) -> Slates | None:
        """All of them; None when there is none."""
