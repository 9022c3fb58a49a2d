"""What was ever declared, followed while it runs: the `arms` topic, read on."""

import threading
from collections.abc import Callable
from typing import TypeVar

from croupier.config.settings import MOST_SKEW
from croupier.core import codec
from croupier.core.declarations import Declarations
from croupier.core.records import ArmSet, Declaration, Refill
from croupier.ports import ARMS, EventLog, entries_between

T = TypeVar("T")


def reach_back(declarations: Declarations, watermark: int) -> int:
    """The stamp from which the log may hold what was open at a watermark: that − H − the skew.

    >>> reach_back(Declarations(), 1_000_000)
    700000
    """
    return watermark - declarations.longest_story() - MOST_SKEW


class History:
    """Declarations that keep up with the log; `on_change` is told of each experiment that changed.

    A server decides under a declaration only when it is on the log. So whoever meets a version that
    it does not know reads the topic on, and finds it.
    """

    def __init__(self, log: EventLog) -> None:
        self.declarations = Declarations()
        self.on_change: list[Callable[[str], None]] = []
        self._log, self._lock = log, threading.Lock()
        self._positions: dict[int, int] = {}
        self.follow()

    def follow(self) -> bool:
        """Take what was declared since: was there any? UnavailableError when the log is away."""
        with self._lock:
            changed: dict[str, None] = {}
            for entries in entries_between(self._log, ARMS, self._positions, self._log.ends(ARMS)):
                for entry in entries:
                    for record in codec.decode_many(entry.payload):
                        if isinstance(record, Declaration | ArmSet | Refill):
                            self.declarations.apply(record)
                            changed[_experiment(record)] = None
                    self._positions[entry.partition] = entry.offset + 1
            for name in changed:  # still locked: when this returns, all have been told
                for tell in self.on_change:
                    tell(name)
        return bool(changed)

    def newest(self) -> dict[str, bytes]:
        """Of each experiment the newest declaration and arms, encoded: what deciding needs."""
        book = self.declarations
        return {
            name: codec.join([codec.encode(book.latest(name)), codec.encode(book.arms(name))])
            for name in book.names()
        }

    def knowing(self, action: Callable[[], T]) -> T:
        """What the action answers; once more, after reading on, where a version was unknown."""
        try:
            return action()
        except LookupError:
            self.follow()
            return action()


def _experiment(record: Declaration | ArmSet | Refill) -> str:
    return record.spec.name if isinstance(record, Declaration) else record.experiment
