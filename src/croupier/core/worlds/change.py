"""How the true reward rates of the arms change with time."""

import msgspec
import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.duration import DAY


class Change(msgspec.Struct, frozen=True):
    """μ_k(t) = m_k · (1 + a·cos(2π·((t − peak)/period − k/K))), without k/K unless `in_turn`.

    a = 0 is a world that stands still. In step, all rates rise and fall together and the best
    arm stays the best; in turn, arms take the lead one after another. Times in milliseconds.

    >>> Change(amplitude=0.5).rates([0.02, 0.03], np.array([0, DAY // 2])).round(3).tolist()
    [[0.03, 0.045], [0.01, 0.015]]
    """

    amplitude: float = 0.0
    period: int = DAY
    peak: int = 0
    in_turn: bool = False

    def rates(self, base: list[float], at: FloatArray) -> FloatArray:
        """The true rate of each arm (columns) at each time (rows)."""
        arms = len(base)
        turn = np.arange(arms) / arms if self.in_turn else np.zeros(arms)
        cycles = (np.asarray(at)[:, None] - self.peak) / self.period - turn
        return np.asarray(np.asarray(base) * (1.0 + self.amplitude * np.cos(2 * np.pi * cycles)))

    def problem(self, base: list[float]) -> str | None:
        """Why arms of these mean rates cannot live here, or None.

        >>> Change(amplitude=0.6).problem([0.02, 0.7])
        'expected rates between 0 and 0.625, got 0.7'
        """
        most = 1.0 / (1.0 + self.amplitude)
        bad = next((rate for rate in base if not 0 <= rate <= most), None)
        return None if bad is None else f"expected rates between 0 and {most:.3g}, got {bad:g}"
