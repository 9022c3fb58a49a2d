"""Tables that somebody else keeps, such as one of candidates."""

from collections.abc import Mapping
from typing import Protocol


class Table(Protocol):
    """Rows that may be read again and again."""

    def rows(self) -> list[Mapping[str, object]]:
        """Every row, by column; UnavailableError with the reason when it cannot be read now."""
