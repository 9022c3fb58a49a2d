"""When arms were not to be shown: what the history of the arms says of it."""

import math
from typing import NamedTuple

from croupier.core.records import ArmSet


class Away(NamedTuple):
    """An arm (its number) that was not active from `since` to `until`, milliseconds."""

    arm: int
    since: float
    until: float


class Absences:
    """Of one experiment, from its arm sets in order; those of the first were there ever before.

    `born` says since when each arm number is given, milliseconds; 0 for those of the first set.

    >>> from croupier.core.records import Arm
    >>> away, x = Absences(), Arm(0, "x")
    >>> for at, status in ((5, "active"), (7, "paused"), (9, "active")):
    ...     away.take(ArmSet(experiment="b", version=at, at=at, arms=(x, Arm(1, "y", status))))
    >>> away.take(ArmSet(experiment="b", version=11, at=11, arms=(x, Arm(1, "y"), Arm(2, "z"))))
    >>> [tuple(each) for each in away.spells()]
    [(1, 7, 9), (2, -inf, 11)]
    """

    def __init__(self) -> None:
        self.born: dict[int, int] = {}
        self._over: list[Away] = []
        self._out: dict[int, float] = {}
        self._version = 0

    def take(self, arms: ArmSet) -> None:
        """What a newer set changes; of two of one version the first holds."""
        if arms.version <= self._version:
            return
        first, self._version = self._version == 0, arms.version
        for arm in arms.arms[len(self.born) :]:
            self.born[arm.number] = 0 if first else arms.at
            if not first:
                self._out[arm.number] = -math.inf
        for arm in arms.arms:
            if arm.status != "active":
                self._out.setdefault(arm.number, -math.inf if first else arms.at)
            elif arm.number in self._out:
                self._over.append(Away(arm.number, self._out.pop(arm.number), arms.at))

    def spells(self) -> list[Away]:
        """Every time that an arm was away, those that last included."""
        return [*self._over, *(Away(arm, since, math.inf) for arm, since in self._out.items())]
