"""In which periods an arm could be shown: from the history of the arms."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from croupier.core.absences import Away
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.table import HOURLY_FOR
from croupier.core.duration import DAY
from croupier.core.records import ArmSet


def offered(
    starts: Sequence[int],
    ends: Sequence[int],
    arms: Sequence[int],
    history: Sequence[ArmSet],
    barred: Iterable[tuple[int, float, float]] = (),
) -> FloatArray:
    """1 where an arm was active from a period's start to its end, else 0, shape (T, K).

    `history` are the versions of the arms, oldest first; the first held since ever. Without any,
    every arm counts as always active. `barred` are arms that a guardrail took out, since when, and
    until when: they are not offered meanwhile.

    >>> from croupier.core.records import Arm
    >>> both = (Arm(0, "x"), Arm(1, "y"))
    >>> history = [ArmSet(experiment="b", version=1, at=5, arms=both[:1]),
    ...            ArmSet(experiment="b", version=2, at=15, arms=both)]
    >>> offered([0, 10, 20], [10, 20, 30], [0, 1], history).tolist()
    [[1.0, 0.0], [1.0, 0.0], [1.0, 1.0]]
    >>> offered([0, 10, 20], [10, 20, 30], [0, 1], [], [(1, 15, 20)]).tolist()
    [[1.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    found = np.ones((len(starts), len(arms)))
    from_, until = np.array(starts, dtype=np.float64), np.array(ends, dtype=np.float64)
    for place, version in enumerate(history):
        began = version.at if place else -np.inf
        ended = history[place + 1].at if place + 1 < len(history) else np.inf
        meanwhile = (from_ < ended) & (until > began)
        active = {arm.number for arm in version.arms if arm.status == "active"}
        away = np.array([arm not in active for arm in arms], dtype=bool)
        found[np.ix_(meanwhile, away)] = 0.0
    places = {arm: place for place, arm in enumerate(arms)}
    for arm, since, freed in barred:
        if arm in places:
            found[(from_ < freed) & (until > since), places[arm]] = 0.0
    return found


class Offers(NamedTuple):
    """Which arms were `away` when, and how long a period is; by a watermark, old ones are days."""

    away: Sequence[Away]
    period: int
    watermark: int

    def whole(self, starts: Sequence[int], arms: Sequence[int]) -> FloatArray:
        """1 where an arm was active from a period's start to its end, else 0, shape (T, K).

        >>> Offers([Away(1, 15, 20)], 10, 30).whole([0, 10, 20], [0, 1]).tolist()
        [[1.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
        """
        ends = [
            start + (DAY if start + DAY + HOURLY_FOR <= self.watermark else self.period)
            for start in starts
        ]
        return offered(starts, ends, arms, [], self.away)
