"""Who comes: new units, and units that return."""

import msgspec
import numpy as np
from numpy.typing import NDArray


class Visitors(msgspec.Struct, frozen=True):
    """With probability `returning`, visit i is by whoever made visit i − L; else by a new unit.

    L is log-uniform on [1, memory], P(L ≤ l) = ln l / ln memory: some return within seconds, as
    many after minutes, as many after hours, so that units repeat within a session and across
    sessions.

    >>> Visitors(0.5).units(8, np.random.default_rng(3)).tolist()
    [0, 1, 2, 3, 2, 5, 6, 7]
    """

    returning: float = 0.0
    memory: int = 20_000

    def units(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Who made each visit: the number of the unit's first visit."""
        visit = np.arange(count)
        lag = np.exp(rng.random(count) * np.log(self.memory)).astype(np.int64)
        unit = np.where(rng.random(count) < self.returning, visit - lag, visit)
        unit = np.where(unit < 0, visit, unit)
        while not np.array_equal(unit, unit[unit]):
            unit = unit[unit]
        return unit
