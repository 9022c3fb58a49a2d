"""An arm's state: exact sums, a commutative monoid."""

from typing import NamedTuple, Self

import msgspec
import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.reward import MICRO


class Sums(NamedTuple):
    """Sums over trials of one arm in one period: n, Σr, Σr², Σw, Σw², Σwr, Σw²r, Σw²r².

    r is the reward and w = 1/propensity, both whole millionths, so that a sum is exact and the
    same in any order; units are therefore 10⁻⁶ a factor (`w2r2` counts 10⁻²⁴).

    >>> both = Sums.of(1_000_000, 0.5) + Sums.of(0, 0.25)
    >>> both.n, both.r / MICRO, both.w / MICRO
    (2, 1.0, 6.0)
    """

    n: int = 0
    r: int = 0
    r2: int = 0
    w: int = 0
    w2: int = 0
    wr: int = 0
    w2r: int = 0
    w2r2: int = 0

    @classmethod
    def of(cls, reward: int, propensity: float) -> Self:
        """The sums of a single trial; `reward` in millionths, `propensity` in (0, 1]."""
        w = round(MICRO / propensity)
        wr = w * reward
        return cls(1, reward, reward * reward, w, w * w, wr, w * wr, wr * wr)

    def __add__(self, other: "Sums") -> "Sums":  # type: ignore[override]
        """Sums over the trials of both: associative, commutative, `Sums()` is neutral."""
        return Sums(
            self.n + other.n,
            self.r + other.r,
            self.r2 + other.r2,
            self.w + other.w,
            self.w2 + other.w2,
            self.wr + other.wr,
            self.w2r + other.w2r,
            self.w2r2 + other.w2r2,
        )

    def encode(self) -> str:
        """Decimal text: these integers outgrow 64 bits.

        >>> Sums.of(1_000_000, 0.5).encode()
        '1 1000000 1000000000000 2000000 4000000000000 2000000000000 4000000000000000000 4000000000000000000000000'
        """  # noqa: E501
        return " ".join(map(str, self))

    @classmethod
    def decode(cls, text: str) -> Self:
        """The inverse of `encode`; ValueError when the text does not hold eight integers."""
        numbers = [int(part) for part in text.split(" ")]
        if len(numbers) != len(cls._fields):
            raise ValueError(f"expected {len(cls._fields)} integers, got {text!r}")
        return cls(*numbers)

    @property
    def mean(self) -> float | None:
        """Reward a trial, Σr / n, or None before the first trial."""
        return self.r / self.n / MICRO if self.n else None


class StateKey(NamedTuple):
    """What one row of sums is about; `period` is the UTC start of its bucket, milliseconds."""

    experiment: str
    arm: int
    slot: int
    reward_version: int
    stratum: str
    period: int


class Reading(msgspec.Struct, frozen=True):
    """What a posterior is made of: per arm the (perhaps discounted) n, Σr and Σr², as numbers."""

    n: tuple[float, ...]
    r: tuple[float, ...]
    r2: tuple[float, ...]


class Tried(NamedTuple):
    """What was seen, without any prior, one number an arm: trials, and their mean reward.

    The mean is a part of what a trial can earn, 0 for the least and 1 for the most, and 0 where
    there was no trial: what index policies (UCB1, KL-UCB) are made of.
    """

    n: FloatArray
    mean: FloatArray

    @classmethod
    def of(cls, n: FloatArray, r: FloatArray, low: float, high: float) -> Self:
        """From trials and the sum of their rewards, which lie in [low, high].

        >>> Tried.of(np.array([4.0, 0.0]), np.array([30.0, 0.0]), 0.0, 10.0).mean.tolist()
        [0.75, 0.0]
        """
        mean = np.divide(r, n, out=np.full_like(r, low), where=n > 0)
        return cls(n, np.clip((mean - low) / (high - low), 0.0, 1.0))
