"""python -m tests.ring.mortal POINT learn …: a croupier that dies at one point of a commit.

It is the real command; only that, at the first commit that adds sums, it kills itself there.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from croupier.adapters import durable
from croupier.adapters.postgres import snapshots, state
from croupier.cli import main
from croupier.ports import Commit

POINTS = ("before", "inside", "uncommitted", "committed", "published", "shown")
"""Before the transaction; in it, with the sums added; with all done but COMMIT; after COMMIT; with
a snapshot in PostgreSQL and not in Redis; with it in both."""

TAKEN = "taken"
"""For a source: all that some records say is told, and its positions are not committed."""


def die() -> None:
    """Kill −9."""
    os.kill(os.getpid(), signal.SIGKILL)


def around(holder: Any, name: str, *, when: Callable[..., bool], first: bool) -> None:
    """Replace a function by one that dies before its work, or after it."""
    whole = getattr(holder, name)

    def mortal(*arguments: Any) -> Any:
        if first and when(*arguments):
            die()
        answer = whole(*arguments)
        if not first and when(*arguments):
            die()
        return answer

    setattr(holder, name, mortal)


def arm(point: str) -> None:
    """Lay the trap."""

    def adds(*arguments: Any) -> bool:
        return any(isinstance(one, Commit) and one.sums for one in arguments)

    def takes(*arguments: Any) -> bool:
        return any(isinstance(one, Commit) and one.counts for one in arguments)

    def always(*_: Any) -> bool:
        return True

    store = state.PostgresState
    traps: dict[str, tuple[Any, str, Callable[..., bool]]] = {
        "before": (store, "commit", adds),
        TAKEN: (store, "commit", takes),
        "inside": (state, "_add_sums", adds),
        "uncommitted": (store, "_move", adds),
        "committed": (store, "commit", adds),
        "published": (snapshots.PostgresSnapshots, "put", always),
        "shown": (durable.DurableSnapshots, "put", always),
    }
    holder, name, when = traps[point]
    around(holder, name, when=when, first=point in ("before", TAKEN))


if __name__ == "__main__":
    arm(sys.argv.pop(1))
    main()
