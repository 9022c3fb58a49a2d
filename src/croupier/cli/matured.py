"""Matured trials of a file: their signals, the late metric, and the arm."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from croupier.config.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from croupier.core.arms.panels import FloatArray


class Trials(NamedTuple):
    """A row a trial; `signals` has a column for each of `names`, `metric` names the late one."""

    file: Path
    names: list[str]
    metric: str
    signals: "FloatArray"
    late: "FloatArray"
    arms: list[str]

    def must_be_finite(self, results: "Iterable[float]") -> None:
        """ConfigError, naming the column with the largest numbers, where they overflowed."""
        if all(map(math.isfinite, results)):
            return
        columns = [*zip(self.names, self.signals.T, strict=True), (self.metric, self.late)]
        most, name = max((float(abs(column).max()), name) for name, column in columns)
        raise ConfigError(
            f"{self.file}: column {name!r}: numbers up to {most:.6g}, too large to add up"
        )

    def follow(self, columns: "Sequence[int]") -> str:
        """What to say of signals of which each follows from the others."""
        from croupier.core.estimate.surrogate import LEAST_APART

        named = ", ".join(repr(self.names[column]) for column in columns)
        return (
            f"{self.file}: columns {named}: each follows from the others; of {len(self.late):,} "
            f"trials fewer than {LEAST_APART:.0f} tell it apart, so that none can say what it is "
            "worth: leave one out"
        )

    def must_have_arms(self, column: str) -> None:
        """ConfigError where there are not two arms, which a check could compare."""
        found = sorted(set(self.arms))
        if len(found) < 2:
            there = f"only {found[0]!r}" if found else "no trial"
            raise ConfigError(
                f"{self.file}: column {column!r}: {there}: a check compares arms with each other"
            )

    def must_be_signals(self) -> None:
        """ConfigError where a column cannot be declared: by its name, or for what is in it."""
        from croupier.core.reward import Reward, Term

        named = Reward(dict.fromkeys(self.names, Term(1.0)))
        problems = [
            f"column {key.removeprefix('reward.')!r}: {why}" for key, why in named.problems()
        ]
        for name, column in zip(self.names, self.signals.T, strict=True):
            if column.min(initial=0.0) < 0:
                row = int(column.argmin())
                problems.append(
                    f"column {name!r}: row {row + 1}: expected a count or an amount, from 0, "
                    f"got {column[row]:g}"
                )
        if problems:
            raise ConfigError(*(f"{self.file}: {problem}" for problem in problems))


def read_trials(file: Path, late: str, names: list[str], arm: str) -> Trials:
    """The trials of a file; ConfigError, naming the row, for what is no number."""
    import numpy as np

    from croupier.config.row_files import a_file, read_table

    rows = read_table(a_file(file))
    head = next(rows, [])
    wanted = [*names, late, *([arm] if arm else [])]
    for name in wanted:
        if name not in head:
            raise ConfigError(f"{file}: no column {name!r}; there are {', '.join(head)}")
    places = [head.index(name) for name in wanted]
    numbers: list[list[float]] = []
    arms: list[str] = []
    for line, row in enumerate(rows, 1):
        if len(row) > len(head):
            raise ConfigError(f"{file}: row {line}: more cells than columns")
        try:
            cells = [row[place] for place in places]
            found = [float(cell or 0.0) for cell in cells[: len(names)]]
            found.append(float(cells[len(names)]))
        except (ValueError, IndexError):
            raise ConfigError(
                f"{file}: row {line}: expected numbers in {', '.join(wanted)}"
            ) from None
        if not all(map(math.isfinite, found)):
            raise ConfigError(f"{file}: row {line}: a number is not finite")
        numbers.append(found)
        arms.append(cells[-1] if arm else "")
    table = np.array(numbers, dtype=np.float64).reshape(-1, len(names) + 1)
    return Trials(file, names, late, table[:, :-1], table[:, -1], arms)
