"""When visits come: a Poisson stream, with a daily cycle where there is one."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from croupier.core.duration import DAY, HOUR, MINUTE


class Traffic(msgspec.Struct, frozen=True):
    """λ(t) = per_hour · (1 + a·cos(2π·(t − peak)/day)), 0 ≤ a < 1: visits by the hour.

    Arrivals are Λ⁻¹(E₁ + … + E_i) with unit exponentials E and Λ(t) = ∫₀ᵗ λ, which is exact:
    a Poisson process of rate 1, seen through the integrated rate. With no cycle, 1,000 visits at
    1,000 an hour take about an hour (3,600 s):

    >>> int(Traffic(1_000.0).arrivals(1_000, np.random.default_rng(1))[-1]) // 1_000
    3630

    Source: Çinlar 1975, Introduction to Stochastic Processes, 4.7.
    """

    per_hour: float = 1_000.0
    amplitude: float = 0.0
    peak: int = 12 * HOUR

    def arrivals(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """The times of the first `count` visits, whole milliseconds, in order."""
        passed = np.cumsum(rng.standard_exponential(count))
        span = passed[-1] / self.per_hour * HOUR + self.amplitude * DAY / np.pi
        grid = np.arange(0.0, span + 2 * MINUTE, MINUTE)
        return np.floor(np.interp(passed, self.expected(grid), grid)).astype(np.int64)

    def expected(self, until: NDArray[np.float64]) -> NDArray[np.float64]:
        """Λ(t): the expected number of visits before each time.

        >>> Traffic(100.0, amplitude=0.8).expected(np.array([6.0 * HOUR, DAY])).round(1).tolist()
        [294.4, 2400.0]
        """
        turn = 2 * np.pi / DAY
        swing = np.sin(turn * (until - self.peak)) + np.sin(turn * self.peak)
        return np.asarray(self.per_hour / HOUR * (until + self.amplitude / turn * swing))
