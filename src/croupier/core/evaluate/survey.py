"""What one reading of a log finds: its arms, ranges, and a reward model."""

from collections.abc import Iterable, Sized
from typing import NamedTuple, Protocol, Self

import numpy as np

from croupier.core.evaluate.model import RewardModel
from croupier.core.evaluate.replay import uniform_log
from croupier.core.evaluate.tally import Tally
from croupier.core.evaluate.targets import Logged


class Named(Protocol):
    """The arms and positions that a log has named so far."""

    @property
    def arms(self) -> Sized:
        """By name."""

    @property
    def positions(self) -> Sized:
        """By name."""


class Survey(NamedTuple):
    """What one reading finds: how many rounds, and which rewards and propensities there are."""

    model: RewardModel
    tally: Tally
    least_reward: float
    least: float
    most: float
    binary: bool

    @property
    def rounds(self) -> int:
        """How many rounds there are."""
        return self.tally.n

    @property
    def uniform(self) -> bool:
        """Whether every arm was drawn with the same probability, which then is 1/K or more."""
        arms = self.model.n.shape[2]
        return self.rounds > 0 and uniform_log(self.least, self.most) and self.least * arms > 0.999

    @classmethod
    def of(cls, parts: Iterable[Logged], named: Named) -> Self:
        """Read all parts; `named` tells after each part which arms and positions there are."""
        model, tally, binary = RewardModel(1, 1), Tally(), True
        least_reward, least, most = np.inf, np.inf, 0.0
        for part in parts:
            model = model.grown(max(1, len(named.positions)), max(1, len(named.arms)))
            model.add(part.position, part.arm, part.fold, part.reward)
            tally += Tally.of({"r": part.reward, "r2": part.reward**2})
            binary = binary and bool(np.isin(part.reward, (0.0, 1.0)).all())
            least_reward = min(least_reward, float(part.reward.min()))
            least = min(least, float(part.propensity.min()))
            most = max(most, float(part.propensity.max()))
        model = model.grown(max(1, len(named.positions)), max(1, len(named.arms)))
        return cls(model, tally, least_reward, least, most, binary)
