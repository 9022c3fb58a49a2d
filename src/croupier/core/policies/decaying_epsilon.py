"""The best-looking arm, and a share for all that shrinks as trials come in."""

from croupier.core.arms.panels import FloatArray
from croupier.core.arms.posterior import Posterior
from croupier.core.policies.base import Allocation


class DecayingEpsilon(Allocation, frozen=True, tag="decaying_epsilon"):
    """Greedy but for ε(n) = min(1, m·K/n): w = (1 − ε)·[highest posterior mean] + ε/K.

    n counts the trials learned of the K arms, m is `explore`: until each arm has m trials on
    average, all share equally; after N trials each has had about m·(1 + ln(N/(mK))) for its own
    sake. For rewards in [0, 1] and a gap of d between the two best, m = c/d² with c > 5 gives
    regret that grows as ln N; a smaller m may follow a wrong arm for long.

    Do not use it without an idea of the gap, nor where arms join late (they get ε/K like all), nor
    for drift without `half_life`, under which n stops growing. Between refreshes it is greedy, so
    it inherits the clock confounding, and the ε that a batch had belongs to its start.

    >>> from croupier.core.arms.bernoulli import Beta
    >>> two = Beta((41.0, 51.0), (961.0, 951.0))  # 1,000 trials each
    >>> DecayingEpsilon(explore=100).weights(two).round(3).tolist()
    [0.05, 0.95]

    Source: Auer, Cesa-Bianchi & Fischer 2002, Finite-time Analysis of the Multiarmed Bandit
    Problem, theorem 3 (ε_n-GREEDY: ε = min(1, cK/(d²n))).
    """

    explore: float = 500.0

    def index(self, posterior: Posterior) -> FloatArray:
        """The posterior means."""
        return posterior.mean()

    def exploring(self, posterior: Posterior) -> float:
        """ε after the trials that the posterior has seen."""
        trials = posterior.tried().n
        return self.epsilon(len(trials), float(trials.sum()))

    def epsilon(self, arms: int, trials: float) -> float:
        """The share of the traffic that explores after so many trials of so many arms.

        >>> [DecayingEpsilon(explore=500).epsilon(4, n) for n in (0, 2_000, 20_000)]
        [1.0, 1.0, 0.1]
        """
        most = self.explore * arms
        return 1.0 if trials <= most else most / trials

    def problem(self, arms: int) -> str | None:
        """Why this policy cannot serve so many arms, or None."""
        if not 0 <= self.explore <= 1e9:
            return f"explore must be between 0 and 1e9, got {self.explore}"
        return super().problem(arms)
