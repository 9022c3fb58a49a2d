"""How long a server that fails is left alone: by decisions, and by events."""

import random
import threading
import time
from email.utils import parsedate_to_datetime

from croupier.client import processes

_LONGEST_PAUSE = 8
"""The pause doubles with every probe that fails, up to so many times the first."""
_FIRST, _LONGEST = 0.1, 30.0
_MOST_TOLD = 300.0


class Breaker:
    """Closed; open after N failures in a row; then one probe at a time, until one succeeds.

    >>> breaker = Breaker(failures=2, pause=60.0)
    >>> breaker.failed(), breaker.admits(), breaker.failed(), breaker.admits()
    (False, True, True, False)
    >>> breaker.succeeded(), breaker.admits()
    (True, True)
    """

    def __init__(self, failures: int, pause: float) -> None:
        self._most, self._first_pause = failures, pause
        self.after_fork()
        processes.watch(self)

    def after_fork(self) -> None:
        """Closed, with nothing counted."""
        self._lock = threading.RLock()
        self._failures = 0
        self._pause = self._first_pause
        self._open_until: float | None = None
        self._probing = False
        self._opened = self._probes = 0

    def stats(self) -> dict[str, int]:
        """How often it opened and probed, and whether it is open now."""
        with self._lock:
            opened, probes = self._opened, self._probes
            is_open = self._open_until is not None
        return {"circuit_opened": opened, "circuit_probes": probes, "circuit_is_open": int(is_open)}

    def admits(self) -> bool:
        """Whether to ask now; whoever is admitted must say how it went."""
        with self._lock:
            if self._open_until is None:
                return True
            if self._probing or time.monotonic() < self._open_until:
                return False
            self._probing = True
            self._probes += 1
            return True

    def succeeded(self) -> bool:
        """Close; whether it was open."""
        with self._lock:
            was_open = self._open_until is not None
            self._failures, self._pause = 0, self._first_pause
            self._open_until, self._probing = None, False
            return was_open

    def failed(self) -> bool:
        """Count; whether this opened it. Stragglers from before it opened change nothing."""
        with self._lock:
            self._failures += 1
            if self._probing:
                self._pause = min(2 * self._pause, _LONGEST_PAUSE * self._first_pause)
            elif self._open_until is not None or self._failures < self._most:
                return False
            opened, self._probing = not self._probing, False
            self._opened += opened
            jitter = random.uniform(0.75, 1.25)  # noqa: S311 - no secret
            self._open_until = time.monotonic() + self._pause * jitter
            return opened


class Backoff:
    """The earliest moment of the next try, by the monotonic clock.

    >>> backoff = Backoff()
    >>> backoff.failed("2"); 1.9 < backoff.until - time.monotonic() < 2.6
    True
    >>> backoff.cut(); backoff.until > time.monotonic()
    True
    >>> backoff.forget(); backoff.until
    0.0
    """

    def __init__(self) -> None:
        self.forget()

    @property
    def until(self) -> float:
        """Not before this."""
        return max(self._pause, self._told)

    def failed(self, retry_after: str | None) -> None:
        """Wait longer than the last time, and at least as long as the server said."""
        now, pause = time.monotonic(), min(_LONGEST, _FIRST * 2.0 ** min(self._failures, 20))
        self._failures += 1
        self._pause = now + pause * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        if retry_after is not None:
            self._told = now + told(retry_after) * random.uniform(1.0, 1.25)  # noqa: S311

    def cut(self) -> None:
        """Somebody waits: try now, unless the server said when."""
        self._pause = 0.0

    def forget(self) -> None:
        """As if nothing had failed."""
        self._failures, self._pause, self._told = 0, 0.0, 0.0


def told(retry_after: str) -> float:
    """Seconds that a Retry-After header asks for, at most five minutes.

    >>> told("7"), told("Wed, 21 Oct 2015 07:28:00 GMT"), told("soon"), told("1e9")
    (7.0, 0.0, 0.0, 300.0)
    """
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(retry_after).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return min(max(0.0, seconds), _MOST_TOLD) if seconds == seconds else 0.0  # noqa: PLR0124 - NaN
