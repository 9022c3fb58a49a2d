"""What a column of a table for analysts holds."""

from typing import Literal, NamedTuple


class Column(NamedTuple):
    """A column: its name, what it holds, and what that means, with units.

    Times are milliseconds since 1970, UTC; `counts` are (kind, count, value) of outcomes.
    """

    name: str
    kind: Literal["text", "texts", "whole", "number", "numbers", "time", "flag", "counts", "bytes"]
    meaning: str
