"""A row of the table: ours, the limit's or the peer's, the ratio, and whether it is reached."""

import os
import time
from collections.abc import Sequence
from typing import Any, Literal

import msgspec


class Row(msgspec.Struct, frozen=True):
    """One measurement. `theirs` is a limit of DESIGN §6, or a peer measured in the same run.

    With `goal` "at most", ours may be `times` theirs; with "at least", it must be. Without a goal
    the row only informs; `note` says what a reader must know to believe it.
    """

    what: str
    unit: str
    ours: float
    against: str = ""
    theirs: float | None = None
    goal: Literal["at most", "at least"] | None = None
    times: float = 1.0
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours in theirs."""
        return self.ours / self.theirs if self.theirs else None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None or self.theirs is None:
            return None
        bound = self.theirs * self.times
        return self.ours <= bound if self.goal == "at most" else self.ours >= bound

    def plain(self, benchmark: str) -> dict[str, Any]:
        """For --json."""
        return {"benchmark": benchmark, **msgspec.to_builtins(self)} | {
            "ratio": self.ratio,
            "reached": self.reached,
        }


class Skipped(msgspec.Struct, frozen=True):
    """A measurement that could not be made here, and what it would take."""

    what: str
    why: str


def at_most(what: str, unit: str, ours: float, limit: float, note: str = "") -> Row:
    """A row against an upper limit of DESIGN §6."""
    return Row(what, unit, ours, "limit", limit, "at most", note=note)


def at_least(what: str, unit: str, ours: float, limit: float, note: str = "") -> Row:
    """A row against a lower limit of DESIGN §6."""
    return Row(what, unit, ours, "limit", limit, "at least", note=note)


def by_wall(what: str, unit: str, ours: float, limit: float) -> Row:
    """A row of wall time, which whatever else this machine does can spoil: it only informs."""
    return Row(what, unit, ours, "limit, on an idle machine", limit)


HEADER = f"{'what':<58} {'ours':>12} {'unit':<9} {'theirs':>12} {'ratio':>8}  reached"


def line(row: Row | Skipped) -> str:
    """One line of the table, and its note below."""
    if isinstance(row, Skipped):
        return f"{row.what:<58} {'SKIPPED':>12} {row.why}"
    theirs = "" if row.theirs is None else _number(row.theirs)
    ratio = "" if row.ratio is None else f"×{_number(row.ratio)}"
    verdict = {True: "yes", False: "NO", None: "-"}[row.reached]
    sign = {"at most": "≤", "at least": "≥", None: ""}[row.goal]
    goal = sign + (f" {row.times:g}×" if row.times != 1 else "")
    text = (
        f"{row.what:<58} {_number(row.ours):>12} {row.unit:<9} {theirs:>12} {ratio:>8}  "
        f"{verdict:<4}{goal} {row.against}"
    )
    return f"{text}\n    {row.note}" if row.note else text


def machine() -> str:
    """What the numbers were measured on, and how busy it was."""
    load = " ".join(f"{each:.2f}" for each in os.getloadavg())
    model = "unknown CPU"
    with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123
        for text in lines:
            if text.startswith("model name"):
                model = text.partition(":")[2].strip()
    when = time.strftime("%Y-%m-%d %H:%M")
    return f"{when}, {os.cpu_count()} × {model}, load average {load}"


def missed(rows: Sequence[Row | Skipped]) -> list[str]:
    """What did not reach its goal."""
    return [row.what for row in rows if isinstance(row, Row) and row.reached is False]


def _number(value: float) -> str:
    if value and abs(value) < 0.001:
        return f"{value:.1e}"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
