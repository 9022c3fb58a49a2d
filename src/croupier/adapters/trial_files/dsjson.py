"""VW dsjson: one decision a line, with all probabilities; CB and CCB."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from croupier.adapters.trial_files.rows import LEAST_PROPENSITY, Row, Rows, UnreadableFileError
from croupier.core.evaluate.targets import Logged

TOLERANCE = 1e-3
"""So far from 1 the propensities of all actions may add up: files hold rounded ones."""


_BOM = b"\xef\xbb\xbf"
"""What some programs put before the first line of a text."""


class _Slot(msgspec.Struct):
    """One slot's outcome; `a` counts from 0 here, from 1 in a contextual bandit's line."""

    cost: float = msgspec.field(name="_label_cost", default=0.0)
    actions: list[int] = msgspec.field(name="_a", default_factory=list)
    p: list[float] = msgspec.field(name="_p", default_factory=list)
    name: str = msgspec.field(name="_id", default="")


class _Line(msgspec.Struct):
    """What we read of a line."""

    cost: float | None = msgspec.field(name="_label_cost", default=None)
    probability: float = msgspec.field(name="_label_probability", default=0.0)
    action: int = msgspec.field(name="_label_Action", default=0)
    actions: list[int] = msgspec.field(name="a", default_factory=list)
    p: list[float] = msgspec.field(default_factory=list)
    outcomes: list[_Slot] = msgspec.field(name="_outcomes", default_factory=list)
    dropped: float = msgspec.field(name="pdrop", default=0.0)
    skip: bool = msgspec.field(name="_skipLearn", default=False)


class DsjsonLog(Rows):
    """A dsjson log: arms are "1", "2", … by their place among a line's actions, reward = −cost.

    A line that was not to be learned from, or that stands for dropped ones, is left out and named.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def fits(self) -> bool:
        """Whether the first line is a decision."""
        try:
            with self._file.open("rb") as lines:
                first = msgspec.json.decode(lines.readline().removeprefix(_BOM), type=_Line)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        return first.cost is not None or bool(first.outcomes)

    def parts(self) -> Iterator[Logged]:
        """The rounds of the file; raises UnreadableFileError when it cannot be read."""
        self.restart()
        decoder = msgspec.json.Decoder(_Line)
        try:
            with self._file.open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    text = line.removeprefix(_BOM) if number == 1 else line
                    if text.strip():
                        self._line(number, text, decoder)
                    if self.full:
                        yield self.take()
        except OSError as error:
            raise UnreadableFileError(f"{self._file}: {error}") from error
        yield self.take()

    def _line(self, number: int, text: bytes, decoder: "msgspec.json.Decoder[_Line]") -> None:
        try:
            line = decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.refuse(number, "", str(error))
            return
        if line.skip:
            self.refuse(number, "_skipLearn", "marked as not to be learned from")
        elif line.dropped:
            self.refuse(number, "pdrop", f"stands for dropped lines, too: {line.dropped:g}")
        elif line.cost is not None:
            self._choice(number, line)
        elif line.outcomes:
            for slot, outcome in enumerate(line.outcomes):
                self._slot(number, outcome, outcome.name or str(slot))
        else:
            self.refuse(number, "_label_cost", "missing")

    def _choice(self, number: int, line: _Line) -> None:
        shares = _shares(line.actions, line.p, first=0)
        if shares is None or str(line.action) not in shares:
            self.refuse(number, "a", "a and p must tell of every action, and of the one taken")
            return
        shown = str(line.action)
        if reason := _problem(shares, shown):
            self.refuse(number, "p", reason)
            return
        self.add(number, Row(shown, -(line.cost or 0.0), line.probability, offered=shares))

    def _slot(self, number: int, slot: _Slot, name: str) -> None:
        shares = _shares(slot.actions, slot.p, first=1)
        if not shares:
            self.refuse(number, "_a", "_a and _p must tell of every action")
            return
        shown, p = next(iter(shares.items()))
        if reason := _problem(shares, shown):
            self.refuse(number, "_p", reason)
            return
        self.add(number, Row(shown, -slot.cost, p, position=name, offered=shares))


def _shares(actions: list[int], p: list[Any], first: int) -> dict[str, float] | None:
    """The propensity of each action by its number from 1; None when they do not match."""
    if not actions or len(actions) != len(p) or len(set(actions)) < len(actions):
        return None
    return {str(action + first): share for action, share in zip(actions, p, strict=True)}


def _problem(shares: Mapping[str, float], shown: str) -> str:
    """What is wrong with the propensities of one choice; empty when nothing is.

    >>> _problem({"1": 0.5, "2": 0.4}, "1")
    'expected propensities that add up to 1, got 0.9'
    """
    for action, p in shares.items():
        if not 0 <= p <= 1:  # NaN, too
            return f"expected a probability for action {action}, got {p!r:.40}"
        if 0 < p < LEAST_PROPENSITY:
            return f"below {LEAST_PROPENSITY:g} for action {action}, got {p!r:.40}"
    if not shares[shown]:
        return f"the action shown, {shown}, has a propensity of 0"
    total = sum(shares.values())
    return (
        ""
        if abs(total - 1) <= TOLERANCE
        else (f"expected propensities that add up to 1, got {total:g}")
    )
