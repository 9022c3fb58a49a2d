"""The arm that could be best, as far as relative entropy admits."""

import numpy as np
from scipy import special

from croupier.core.arms.panels import FloatArray
from croupier.core.arms.posterior import Posterior
from croupier.core.policies.base import Allocation

_HALVINGS = 60


class KLUCB(Allocation, frozen=True, tag="kl_ucb"):
    """All for the arm of highest max{q : n·kl(r̄, q) ≤ ln N + c·ln ln N}; an untried arm first.

    kl(p, q) = p ln(p/q) + (1 − p) ln((1 − p)/(1 − q)); r̄ is the mean reward as a part of what a
    trial can earn, without any prior; n the arm's trials, N those of all arms that may be shown.
    c = 0 is advised in practice, c = 3 is in the proof. For rewards of 0 or 1 no policy can have
    less regret as N grows; for others in between it is safe, and cautious.

    Do not use it in large batches: between two refreshes all traffic goes to one arm (but for the
    floor), so that arm and clock are confounded and delays cost dear. It serves where decisions
    must be reproducible by hand; `thompson` bears batches.

    >>> from croupier.core.arms.bernoulli import Beta
    >>> three = Beta((2.0, 1.0, 4.0), (3.0, 3.0, 3.0))  # 1 of 3, 0 of 2, 3 of 5
    >>> KLUCB().weights(three).tolist()
    [0.0, 0.0, 1.0]

    Source: Garivier & Cappé 2011, The KL-UCB Algorithm for Bounded Stochastic Bandits and Beyond.
    """

    c: float = 0.0

    def index(self, posterior: Posterior) -> FloatArray:
        """The upper confidence bound of each arm."""
        n, mean = posterior.tried()
        return kl_ucb_index(n, mean, float(n.sum()), self.c)

    def problem(self, arms: int) -> str | None:
        """Why this policy cannot serve so many arms, or None."""
        if not 0 <= self.c <= 1e3:
            return f"c must be between 0 and 1000, got {self.c}"
        return super().problem(arms)


def kl_ucb_index(n: FloatArray, mean: FloatArray, total: float, c: float = 0.0) -> FloatArray:
    """The largest q in [r̄, 1] with n·kl(r̄, q) ≤ ln N + c·ln ln N; infinite for an untried arm.

    By bisection, which ends within 2⁻⁶⁰. For r̄ = 0 it is 1 − exp(−budget/n):

    >>> n, mean = np.array([10.0, 10.0, 10.0]), np.array([0.0, 0.5, 1.0])
    >>> kl_ucb_index(n, mean, 30).round(6).tolist()
    [0.288315, 0.851249, 1.0]
    """
    log = np.log(max(total, 1.0))
    budget = log + c * np.log(max(log, 1.0))
    low, high, tried = mean.copy(), np.ones_like(mean), n > 0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        entropy = special.rel_entr(mean, middle) + special.rel_entr(1.0 - mean, 1.0 - middle)
        within = np.where(tried, n, 1.0) * entropy <= budget
        low, high = np.where(within, middle, low), np.where(within, high, middle)
    return np.where(tried, low, np.inf)
