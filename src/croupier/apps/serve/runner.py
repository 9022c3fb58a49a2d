"""What serving asks of whoever runs it: the one thing that differs between rings."""

from collections.abc import Callable
from typing import Protocol

from croupier.core.records import ArmSet
from croupier.ports import Positions, UnavailableError

Change = Callable[[ArmSet, int], tuple[ArmSet, str]]
"""Arms and the time → arms, and what was done to them in words."""


class Runner(Protocol):
    """What only the runner knows of the ring behind the doors."""

    one_clock: bool
    """Whether whoever decides and whoever changes arms look at the same clock."""

    def health(self) -> str | None:
        """Why nothing new is learned, or heard of; None while all is well."""

    def behind(self, positions: Positions) -> bool:
        """Whether learning that stands there is about to read more of what was reported."""

    def record(self, experiment: str, change: Change, by: str, note: str = "") -> ArmSet:
        """Make a change of arms, durably, and know of it here; as it was if it is none.

        What `change` raises, and UnavailableError when the log is away: nothing was changed, or,
        if only the answer was lost, all of it.
        """


class Alone:
    """Nothing behind the doors: decisions only."""

    def __init__(
        self, health: Callable[[], str | None] = lambda: None, *, one_clock: bool = True
    ) -> None:
        self.health, self.one_clock = health, one_clock

    def behind(self, positions: Positions) -> bool:  # noqa: ARG002 - a Runner
        """Nothing learns."""
        return False

    def record(self, experiment: str, change: Change, by: str, note: str = "") -> ArmSet:  # noqa: ARG002
        """UnavailableError: nobody keeps the arms here."""
        raise UnavailableError(f"the arms of {experiment} are changed at a server")
