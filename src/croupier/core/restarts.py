"""How often a failed process is started again: with back-off, and within a bound."""

from collections.abc import Sequence
from typing import NamedTuple

from croupier.core.duration import MINUTE, SECOND


class Bound(NamedTuple):
    """At most `most` restarts within any `within` milliseconds; the first waits for `first`.

    Each further restart within that time waits twice as long, up to `longest`.
    """

    most: int = 5
    within: int = 10 * MINUTE
    first: int = SECOND
    longest: int = MINUTE

    def wait(self, past: Sequence[int], now: int) -> int | None:
        """How long to wait before the next restart, milliseconds; None when there were too many.

        `past` are the times of restarts, milliseconds: w = min(longest, first·2^k) after k of them
        that are not older than `within`.

        >>> bound = Bound(most=3, within=60_000, first=1_000, longest=3_000)
        >>> [bound.wait(past, 70_000) for past in ([], [20_000], [20_000, 30_000], [5_000])]
        [1000, 2000, 3000, 1000]
        >>> bound.wait([20_000, 30_000, 40_000], 70_000) is None
        True
        """
        recent = self.recent(past, now)
        if recent >= self.most:
            return None
        return min(self.longest, self.first << min(recent, 30))

    def recent(self, past: Sequence[int], now: int) -> int:
        """How many of these restarts count at `now`."""
        return sum(at > now - self.within for at in past)
