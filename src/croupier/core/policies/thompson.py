"""Each arm's share is the probability that it is the best."""

from croupier.core.arms.leaders import Leaders
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.posterior import Posterior
from croupier.core.arms.strata import Strata
from croupier.core.policies.base import Allocation


class Thompson(Allocation, frozen=True, tag="thompson"):
    """w_k = P(arm k is best) = ∫ f_k(x) Π_{i≠k} F_i(x) dx, by quadrature.

    The default. Between refreshes the posterior does not move, so drawing from these weights is
    Thompson sampling itself, and the propensity is exact. Do not read w as a verdict: it says
    where to send traffic, not who has won.

    >>> from croupier.core.arms.bernoulli import Beta
    >>> two = Beta((151.0, 121.0), (2851.0, 2881.0))  # 3,000 views each at 5 % and 4 %
    >>> Thompson().weights(two).round(4).tolist()
    [0.969, 0.031]

    Source: Thompson 1933; Russo et al. 2018, A Tutorial on Thompson Sampling.
    """

    def weights(self, posterior: Posterior) -> FloatArray:
        """P(arm is best), one number an arm."""
        return posterior.best()

    def leaders(self, posterior: Posterior, strata: Strata, depth: int) -> Leaders:
        """Samples of the joint posterior: ranking each of them is Thompson sampling of a slate."""
        return Leaders.of_samples(posterior, strata, depth)
