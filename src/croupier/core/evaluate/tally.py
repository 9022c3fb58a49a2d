"""A count, exact sums, largest values: a monoid that estimators read."""

from collections.abc import Mapping
from typing import Self

import msgspec

from croupier.core.arms.panels import FloatArray
from croupier.core.evaluate.exact import as_float, exact_sum


class Tally(msgspec.Struct, frozen=True):
    """Rounds counted, and for each named column its exact sum and its largest value.

    Tallies add up to the same in any grouping and order, to the last bit: parts of a log may be
    tallied anywhere and merged. `Tally()` is neutral.

    >>> import numpy as np
    >>> both = Tally.of({"w": np.array([0.5, 2.0])}) + Tally.of({"w": np.array([1.25])})
    >>> both.n, both.sum("w"), both.mean("w"), both.most("w")
    (3, 3.75, 1.25, 2.0)
    """

    n: int = 0
    sums: dict[str, int] = {}
    largest: dict[str, float] = {}

    @classmethod
    def of(cls, columns: Mapping[str, FloatArray]) -> Self:
        """The tally of some rounds; columns are of one length, ValueError when not finite."""
        n = max((len(column) for column in columns.values()), default=0)
        if not n:
            return cls()
        return cls(
            n,
            {name: exact_sum(column) for name, column in columns.items()},
            {name: float(column.max()) for name, column in columns.items()},
        )

    def __add__(self, other: "Tally") -> "Tally":
        """The tally of the rounds of both: associative and commutative."""
        sums, largest = dict(self.sums), dict(self.largest)
        for name, total in other.sums.items():
            sums[name] = sums.get(name, 0) + total
            largest[name] = max(largest.get(name, other.largest[name]), other.largest[name])
        return Tally(self.n + other.n, sums, largest)

    def sum(self, column: str) -> float:
        """The sum of a column, correctly rounded; 0 where nothing was tallied."""
        return as_float(self.sums.get(column, 0))

    def mean(self, column: str) -> float:
        """The mean of a column; 0 before the first round."""
        return self.sum(column) / self.n if self.n else 0.0

    def most(self, column: str) -> float:
        """The largest value of a column; 0 before the first round."""
        return self.largest.get(column, 0.0)

    def has(self, column: str) -> bool:
        """Whether the column was tallied at all."""
        return column in self.sums
