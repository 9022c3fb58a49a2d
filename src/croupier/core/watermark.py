"""How far log time has come: the least that any partition has reached."""

from collections.abc import Iterable


class Watermark:
    """The newest stamp read from each partition; time is their minimum, and never goes back.

    A partition that was never read holds time at 0, however far the others are.

    >>> time = Watermark([0, 1])
    >>> time.reach(0, 50)
    >>> time.value
    0
    >>> time.reach(1, 20)
    >>> time.value
    20
    """

    def __init__(self, partitions: Iterable[int], start: int = 0) -> None:
        self._reached = dict.fromkeys(partitions, start)

    def reach(self, partition: int, stamp: int) -> None:
        """A record with this stamp was read and applied; KeyError if not declared."""
        self._reached[partition] = max(self._reached[partition], stamp)

    @property
    def value(self) -> int:
        """Stories that close at or before this time can have no more records."""
        return min(self._reached.values(), default=0)

    @property
    def reached(self) -> dict[int, int]:
        """The newest stamp of each partition."""
        return dict(self._reached)
