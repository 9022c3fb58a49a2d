"""What the processes of a distributed ring need of the world."""

from collections.abc import Callable
from typing import NamedTuple

from croupier.clock import Clock
from croupier.ports import EventLog, SnapshotCache, StateStore


class Stores(NamedTuple):
    """Clock and ports; `states` gives each scope (such as join.3) positions of its own."""

    clock: Clock
    log: EventLog
    states: Callable[[str], StateStore]
    cache: SnapshotCache
