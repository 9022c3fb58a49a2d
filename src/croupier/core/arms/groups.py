"""Units that return: their trials once more, by group of units."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import Sums

GROUPS = 64
"""Units fall into so many groups, by their keyed hash."""

GROUP = "group."
"""How strata begin that hold the trials of one group of units, over all time."""


def group_stratum(unit: bytes, stratum: str) -> str:
    """Where a unit's trials are added up once more, by group.

    >>> group_stratum(bytes([81]) * 16, "policy")
    'group.17.policy'
    """
    return _named(int.from_bytes(unit[:1], "big") % GROUPS, stratum)


@lru_cache(maxsize=8 * GROUPS)
def _named(group: int, stratum: str) -> str:
    return f"{GROUP}{group:02d}.{stratum}"


def split_stratum(stratum: str) -> tuple[int | None, str]:
    """The group of a stratum, None where it is of all units, and the stratum without it.

    >>> split_stratum("group.17.policy:refund"), split_stratum("policy")
    ((17, 'policy:refund'), (None, 'policy'))
    """
    if not stratum.startswith(GROUP):
        return None, stratum
    group, _, rest = stratum.removeprefix(GROUP).partition(".")
    return int(group), rest


class GroupTable:
    """The sums of each arm by group of units; exact, as all sums."""

    def __init__(self) -> None:
        self._sums: dict[tuple[int, int], Sums] = {}

    def add(self, group: int, arm: int, sums: Sums) -> None:
        """Add to the sums of one arm in one group."""
        self._sums[group, arm] = self._sums.get((group, arm), Sums()) + sums

    def read(self, arms: Sequence[int]) -> FloatArray:
        """All eight sums in their own whole units, shape (8, G, K)."""
        found = np.zeros((len(Sums._fields), GROUPS, len(arms)))
        places = {arm: place for place, arm in enumerate(arms)}
        for (group, arm), sums in self._sums.items():
            if arm in places:
                found[:, group, places[arm]] = [float(each) for each in sums]
        return found
