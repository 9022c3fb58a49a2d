"""What becomes of a client when its process forks, and when it ends."""

import atexit
import os
import time
from typing import Protocol
from weakref import WeakKeyDictionary, WeakSet


class Forkable(Protocol):
    """Knows how to begin anew in a forked child."""

    def after_fork(self) -> None:
        """Forget the parent's locks, sockets, thread and events; called in the child."""


class Closeable(Protocol):
    """Knows how to end."""

    def stop(self) -> None:
        """Begin to end, without waiting."""

    def close(self, timeout: float) -> None:
        """End, in so many seconds."""


_LIVING: "WeakSet[Forkable]" = WeakSet()
_ENDING: "WeakKeyDictionary[Closeable, float]" = WeakKeyDictionary()


def watch(thing: Forkable) -> None:
    """Let it begin anew in every child that this process forks, as long as it lives."""
    _LIVING.add(thing)


def close_at_exit(thing: Closeable, timeout: float) -> None:
    """Close it when the process ends, if it still lives; all together, not one after another."""
    _ENDING[thing] = timeout


def _in_child() -> None:
    for thing in list(_LIVING):
        thing.after_fork()


@atexit.register
def _at_exit() -> None:
    ending, began = dict(_ENDING), time.monotonic()
    for thing in ending:
        thing.stop()
    for thing, timeout in ending.items():
        thing.close(max(0.0, timeout - (time.monotonic() - began)))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
