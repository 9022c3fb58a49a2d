"""How reports reach the log: quickly and once, or late, twice, shuffled, never."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from croupier.core.duration import HOUR, SECOND

ABSENT = -1
"""The lag of a copy that was never sent."""


class Delivery(msgspec.Struct, frozen=True):
    """Each report is sent once, after Exp(mean `lag`); some are not so lucky.

    A share `late` lags by 1 to 3 hours instead, beyond the deadline of any usual story. A share
    `duplicates` is sent once more, with a lag of its own. A share `lost` never arrives. Lags that
    differ disorder the log: an outcome overtakes its impression.

    >>> rough = Delivery(lag=30_000.0, duplicates=0.2, late=0.05, lost=0.01)
    >>> copies = rough.lags(1_000, np.random.default_rng(1))
    >>> [int((copies[:, copy] != ABSENT).sum()) for copy in (0, 1)]
    [994, 204]
    """

    lag: float = 0.2 * SECOND
    duplicates: float = 0.0
    late: float = 0.0
    lost: float = 0.0

    def lags(self, reports: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """From what happened to the log, for two copies of each report; ABSENT where not sent."""
        lags = (rng.standard_exponential((reports, 2)) * self.lag).astype(np.int64)
        luck = rng.random((reports, 3))
        held = rng.integers(HOUR, 3 * HOUR, reports)
        lags[:, 0] = np.where(luck[:, 0] < self.late, held, lags[:, 0])
        lags[luck[:, 1] >= self.duplicates, 1] = ABSENT
        lags[luck[:, 2] < self.lost] = ABSENT
        return lags
