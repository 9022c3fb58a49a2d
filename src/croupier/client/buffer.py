"""Events that have no answer yet: bounded, taken in batches when they are due."""

import logging
import threading
import time
from collections import Counter, deque

from croupier.client.patience import Backoff

_LOG = logging.getLogger("croupier.client")
_MOST_BYTES = 256 * 1024
_FATES = ("queued", "accepted", "rejected", "dropped", "lost", "resent", "skipped")


class Buffer:
    """Every event that is put is in the end accepted, rejected, dropped or lost, and counted so.

    Dropped: pushed out by newer ones when there was no room. Lost: unanswered when it ended.
    A batch that was taken still has its room; whoever took it settles it, or gives it back.

    >>> buffer = Buffer(capacity=2, most=2, linger=0.0)
    >>> for event in (b"1", b"2", b"3"):
    ...     buffer.put(event)
    >>> batch = buffer.take(); batch
    [b'2', b'3']
    >>> buffer.settle(batch, rejected=1)
    >>> {what: count for what, count in buffer.stats().items() if count}
    {'events_queued': 3, 'events_accepted': 1, 'events_rejected': 1, 'events_dropped': 1}
    """

    def __init__(self, capacity: int, most: int, linger: float) -> None:
        self._capacity, self._most, self._linger = capacity, min(most, capacity), linger
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._flight: list[bytes] = []
        self._counts: Counter[str] = Counter()
        self._size, self._due = self._most, 0.0
        self._backoff = Backoff()
        self._hurry = self._ending = self._dropping = False

    def stats(self) -> dict[str, int]:
        """At any moment: queued = waiting + accepted + rejected + dropped + lost."""
        with self._changed:
            found = {f"events_{fate}": self._counts[fate] for fate in _FATES}
            return found | {"events_waiting": len(self._waiting) + len(self._flight)}

    def put(self, event: bytes) -> None:
        """Take an event; the oldest one goes if there is no room."""
        with self._changed:
            self._counts["queued"] += 1
            if self._ending:
                self._counts["lost"] += 1
                return
            if len(self._waiting) + len(self._flight) >= self._capacity and not self._drop():
                return
            self._waiting.append(event)
            if len(self._waiting) == 1:
                self._due = time.monotonic() + self._linger
            if len(self._waiting) in {1, self._size}:
                self._changed.notify_all()

    def count(self, *fates: str) -> None:
        """Of an event that is not put."""
        with self._changed:
            self._counts.update(fates)

    def take(self) -> list[bytes]:
        """Wait for the next batch, until it is due; empty when there will be no more."""
        with self._changed:
            while not self._waiting or self._pause() > 0:
                if self._ending and not self._waiting:
                    return []
                self._changed.wait(self._pause() if self._waiting else None)
            self._flight, room = [], _MOST_BYTES
            while self._waiting and len(self._flight) < self._size:
                room -= len(self._waiting[0])
                if room < 0 and self._flight:
                    break
                self._flight.append(self._waiting.popleft())
            return self._flight

    def settle(self, batch: list[bytes], rejected: int) -> None:
        """It was answered."""
        with self._changed:
            if self._flight is not batch:
                return
            self._flight = []
            self._counts["accepted"] += len(batch) - rejected
            self._counts["rejected"] += rejected
            self._size = min(self._most, 2 * self._size)
            self._backoff.forget()
            if self._is_empty():
                self._hurry = self._dropping = False
            self._changed.notify_all()

    def give_back(self, batch: list[bytes], retry_after: str | None) -> None:
        """It was not answered: it comes again, after a while."""
        with self._changed:
            if self._flight is batch:
                self._flight = []
                self._waiting.extendleft(reversed(batch))
                self._counts["resent"] += len(batch)
                self._backoff.failed(retry_after)

    def part(self, batch: list[bytes], *, suspected: bool) -> None:
        """One of them may be at fault: they come again in smaller batches.

        `suspected`: it is not known to be their fault, so after a while, and after all others.
        """
        with self._changed:
            if self._flight is not batch:
                return
            if suspected:
                self.give_back(batch, None)
                self._waiting.rotate(-len(batch))
            else:
                self._flight = []
                self._waiting.extendleft(reversed(batch))
            self._size = max(1, len(batch) // 2)

    def nudge(self) -> None:
        """What failed may well succeed now."""
        with self._changed:
            self._backoff.cut()
            self._changed.notify_all()

    def drain(self, timeout: float) -> bool:
        """Let all be due now, but for what a server has told to wait; whether it is empty then."""
        with self._changed:
            self._hurry = not self._is_empty()
            self._backoff.cut()
            self._changed.notify_all()
            return self._changed.wait_for(self._is_empty, max(0.0, timeout))

    def end(self) -> None:
        """Take no more; what is here is due now, whatever a server has told."""
        with self._changed:
            if not self._ending:
                self._ending = True
                self._backoff.forget()
            self._changed.notify_all()

    def abandon(self) -> int:
        """Give up what is still here; how many those are."""
        with self._changed:
            lost = len(self._waiting) + len(self._flight)
            self._counts["lost"] += lost
            self._waiting.clear()
            self._flight = []
            self._changed.notify_all()
            return lost

    def _is_empty(self) -> bool:
        return not self._waiting and not self._flight

    def _pause(self) -> float:
        """Seconds until the first that waits is due."""
        now = self._hurry or self._ending or len(self._waiting) >= self._size
        return max(0.0 if now else self._due, self._backoff.until) - time.monotonic()

    def _drop(self) -> bool:
        """Make room; when all the room is being sent, only the new one is there to go."""
        self._counts["dropped"] += 1
        if not self._dropping:
            self._dropping = True
            _LOG.warning("no room for more than %d events: the oldest go", self._capacity)
        if not self._waiting:
            return False
        self._waiting.popleft()
        return True
