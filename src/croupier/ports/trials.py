"""Logs of trials that somebody else may have written, for off-policy evaluation."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

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
