"""The registry of posteriors, and which of them fits a reward."""

from croupier.core.arms.bernoulli import Beta
from croupier.core.arms.gaussian import NormalInverseGamma
from croupier.core.arms.sums import Reading
from croupier.core.reward import Reward

Posterior = Beta | NormalInverseGamma


def read_posterior(kind: str, reading: Reading, reward: Reward) -> Posterior:
    """The posterior of the declared kind; "auto" takes Beta where a reward is provably 0 or 1.

    >>> from croupier.core.reward import Term
    >>> read_posterior("auto", Reading((2,), (1,), (1,)), Reward({"click": Term(1.0)}))
    Beta(a=(2.0,), b=(2.0,))
    """
    if kind == "beta" or (kind == "auto" and reward.binary):
        return Beta.read(reading)
    low, high = reward.bounds
    return NormalInverseGamma.read(reading, low, high)
