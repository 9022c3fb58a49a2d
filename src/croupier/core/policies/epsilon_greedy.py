"""The best-looking arm, and a fixed share of the traffic for all."""

from croupier.core.arms.panels import FloatArray
from croupier.core.arms.posterior import Posterior
from croupier.core.policies.base import Allocation


class EpsilonGreedy(Allocation, frozen=True, tag="epsilon_greedy"):
    """Greedy with the floor f = ε/K: the arm of highest posterior mean gets 1 − ε + ε/K.

    Arms of equal mean share. Do not use it when arms are many or traffic is small: it explores
    hopeless arms as much as promising ones, for ever, and, being deterministic between
    refreshes, it inherits their clock confounding.

    >>> from croupier.core.arms.bernoulli import Beta
    >>> EpsilonGreedy(epsilon=0.2).publish(Beta((1.0, 9.0), (9.0, 1.0))).round(3).tolist()
    [0.1, 0.9]

    Source: Sutton & Barto 2018, Reinforcement Learning: An Introduction, 2.2.
    """

    epsilon: float = 0.1

    def index(self, posterior: Posterior) -> FloatArray:
        """The posterior means."""
        return posterior.mean()

    def asked_floor(self, arms: int) -> float:
        """ε/K."""
        return self.epsilon / arms

    def problem(self, arms: int) -> str | None:
        """Why this policy cannot serve so many arms, or None."""
        if self.floor is not None:
            return "epsilon_greedy has no floor of its own: it is epsilon / number of arms"
        if not 0 <= self.epsilon <= 1:
            return f"epsilon must be between 0 and 1, got {self.epsilon}"
        return super().problem(arms)
