"""How long visitors take: until they see what they were shown, until they act."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from croupier.core.duration import SECOND


class Delays(msgspec.Struct, frozen=True):
    """Seen after Exp(mean `see`); acted on after exp(ln `act` + spread·Z), Z standard normal.

    `act` is the median. P(acts within w) = Φ(ln(w/act)/spread): with a median of 5 minutes and
    spread 1, 86 % of outcomes fall into a window of 15 minutes.

    >>> acts = Delays(act=300_000, spread=1.0).acts(100_000, np.random.default_rng(2))
    >>> float(np.mean(acts <= 900_000).round(2))
    0.86
    """

    see: float = 1.0 * SECOND
    act: float = 20.0 * SECOND
    spread: float = 0.8

    def sees(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """From each decision to its impression, whole milliseconds."""
        return (rng.standard_exponential(count) * self.see).astype(np.int64)

    def acts(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """From each impression to its outcome, if there is one, whole milliseconds."""
        return (self.act * np.exp(self.spread * rng.standard_normal(count))).astype(np.int64)
