"""Token buckets: how much may pass at a steady rate, with bursts, by whom it is."""

import math
from typing import NamedTuple

from croupier.core.duration import SECOND, parse_duration


class Rate(NamedTuple):
    """So many at once, and as many again in every `seconds`."""

    amount: int
    seconds: float


def parse_rate(text: str) -> Rate:
    """The rate that a text such as "200/s", "5000/m" or "50/10s" means.

    >>> parse_rate("200/s"), parse_rate("50/10s")
    (Rate(amount=200, seconds=1.0), Rate(amount=50, seconds=10.0))
    """
    amount, slash, stretch = map(str.strip, text.partition("/"))
    whole = slash and amount.isascii() and amount.isdecimal()
    if not whole or not 1 <= int(amount) <= 10**9:
        raise ValueError(f'expected a rate such as "200/s", got {text!r}')
    millis = parse_duration(stretch if stretch[:1].isdigit() else f"1{stretch}")
    if millis == 0:
        raise ValueError(f"expected a rate over some time, got {text!r}")
    return Rate(int(amount), millis / SECOND)


class Buckets:
    """One bucket for each key that asks: amount·(1 + t/seconds) pass at most in any stretch t.

    A bucket is one number, the time at which it will be full again (Turner 1986, "New directions
    in communications"; as GCRA in ITU-T I.371). A key whose bucket is full needs no memory. When
    `most` keys are remembered and none of them is full, further keys share one bucket: the bound
    holds for each, at the price that strangers then compete.

    >>> buckets = Buckets(Rate(2, 0.2))
    >>> [buckets.take("a", 1, now=0.0) for _ in range(3)]
    [0.0, 0.0, 0.1]
    >>> buckets.take("a", 1, now=0.1)
    0.0
    """

    def __init__(self, rate: Rate, most: int = 10_000) -> None:
        self.rate, self._most = rate, most
        self._full: dict[str, float] = {}
        self._shared = 0.0

    def __len__(self) -> int:
        return len(self._full)

    def take(self, key: str, amount: int, now: float) -> float:
        """Take it if it is there, then 0; else take nothing, and tell in how many seconds it is.

        `now` in seconds, of any clock that does not run backwards. More than a whole burst never
        passes: infinity.
        """
        most, span = self.rate
        if amount > most:
            return math.inf
        full = self._full.pop(key, None)
        shared = full is None and not self._room(now)
        begin = max(now, self._shared if full is None else full)
        end = begin + amount * span / most
        wait = end - now - span
        admitted = wait <= 1e-9 * span
        if not shared:
            self._full[key] = end if admitted else begin
        elif admitted:
            self._shared = end
        return 0.0 if admitted else wait

    def _room(self, now: float) -> bool:
        """Whether one more key can be remembered; the full ones at the head are forgotten."""
        while self._full:
            oldest = next(iter(self._full))
            if self._full[oldest] > now:
                break
            del self._full[oldest]
        return len(self._full) < self._most
