"""The arm that could be best: mean plus a bonus for every doubt."""

import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.arms.posterior import Posterior
from croupier.core.policies.base import Allocation


class UCB1(Allocation, frozen=True, tag="ucb1"):
    """All for the arm of highest index r̄ + α·√(2 ln N / n); an untried arm comes first.

    r̄ is the mean reward as a part of what a trial can earn, without any prior; n the arm's
    trials, N those of all arms that may be shown. α = 1 is the proven one; smaller explores less.

    Do not use it for small rates or in large batches: for click rates near 2 % its bonus suits a
    coin toss, so it explores for ever so long; and all traffic between two refreshes goes to one
    arm (but for the floor), so that arm and clock are confounded and delays cost dear. It is here
    to compare with, and where an allocation must be explained by one formula.

    >>> from croupier.core.arms.bernoulli import Beta
    >>> three = Beta((2.0, 1.0, 4.0), (3.0, 3.0, 3.0))  # 1 of 3, 0 of 2, 3 of 5
    >>> UCB1().weights(three).tolist()
    [1.0, 0.0, 0.0]

    Source: Auer, Cesa-Bianchi & Fischer 2002, Finite-time Analysis of the Multiarmed Bandit
    Problem. With `half_life` or `sliding_window`: Garivier & Moulines 2008, On Upper-Confidence
    Bound Policies for Non-Stationary Bandit Problems.
    """

    alpha: float = 1.0

    def index(self, posterior: Posterior) -> FloatArray:
        """The upper confidence bound of each arm."""
        n, mean = posterior.tried()
        return ucb1_index(n, mean, float(n.sum()), self.alpha)

    def problem(self, arms: int) -> str | None:
        """Why this policy cannot serve so many arms, or None."""
        if not 0 < self.alpha <= 1e3:
            return f"alpha must be above 0, at most 1000, got {self.alpha}"
        return super().problem(arms)


def ucb1_index(n: FloatArray, mean: FloatArray, total: float, alpha: float = 1.0) -> FloatArray:
    """r̄ + α·√(2 ln N / n), infinite for an arm without trials.

    >>> n, mean = np.array([3.0, 2.0, 5.0]), np.array([1 / 3, 0.0, 0.6])
    >>> ucb1_index(n, mean, 10).round(6).tolist()
    [1.572307, 1.517427, 1.559705]
    """
    doubt = 2.0 * np.log(max(total, 1.0))
    bonus = np.sqrt(np.divide(doubt, n, out=np.full_like(n, np.inf), where=n > 0))
    return np.asarray(mean + alpha * bonus)
