"""In which periods an arm could be shown."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from croupier.core.absences import Away
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.table import HOURLY_FOR
from croupier.core.duration import DAY


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
        found = np.ones((len(starts), len(arms)))
        from_, until = np.array(starts, dtype=np.float64), np.array(ends, dtype=np.float64)
        places = {arm: place for place, arm in enumerate(arms)}
        for arm, since, back in self.away:
            if arm in places:
                found[(from_ < back) & (until > since), places[arm]] = 0.0
        return found
