"""A clock that never runs backwards, for append stamps and decision times."""

import threading
import time


class Clock:
    """Wall time in whole milliseconds that neither goes back nor stands still.

    When wall time was set back, ours goes on at half speed until the wall has caught up, so
    that stories still close and decisions never come after the records that report them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0.0
        self._mark = time.monotonic()

    def now(self) -> int:
        """Milliseconds since 1970, never less than any answer before."""
        with self._lock:
            # The wall is read between two marks: a thread that is held up here must not run ahead.
            ahead = self._last + (time.monotonic() - self._mark) * 500.0
            self._last = max(time.time() * 1000.0, ahead)
            self._mark = time.monotonic()
            return int(self._last)

    def reach(self, stamp: int) -> None:
        """Never answer less than a stamp that was already given out, by an earlier process."""
        with self._lock:
            self._last = max(self._last, float(stamp))


class TurnedClock(Clock):
    """A clock that shows what it is set to.

    >>> TurnedClock(5).now()
    5
    """

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def now(self) -> int:
        """The time that was set, milliseconds."""
        return self.at
