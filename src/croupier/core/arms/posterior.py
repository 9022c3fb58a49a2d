"""The registry of posteriors, and which of them fits a reward."""

from typing import Literal

from croupier.core.arms.bernoulli import Beta
from croupier.core.arms.count import Gamma
from croupier.core.arms.gaussian import NormalInverseGamma
from croupier.core.arms.prior import Prior
from croupier.core.arms.sums import Reading
from croupier.core.reward import Reward

Posterior = Beta | Gamma | NormalInverseGamma


def posterior_of(kind: str, reward: Reward) -> Literal["beta", "count", "normal"]:
    """What is declared; for "auto" Beta where a reward is provably 0 or 1, else normal."""
    if kind == "count":
        return "count"
    return "beta" if kind == "beta" or (kind == "auto" and reward.binary) else "normal"


def read_posterior(
    kind: str, reading: Reading, reward: Reward, prior: Prior | None = None
) -> Posterior:
    """The posterior of the declared kind, from the prior that is stated or from its own.

    >>> from croupier.core.reward import Term
    >>> read_posterior("auto", Reading((2,), (1,), (1,)), Reward({"click": Term(1.0)}))
    Beta(a=(2.0,), b=(2.0,), prior=(1.0, 1.0))
    """
    meant, (low, high) = posterior_of(kind, reward), reward.bounds
    if meant == "beta":
        return Beta.read(reading, prior)
    if meant == "count":
        return Gamma.read(reading, reward.unit or 1.0, high, prior)
    return NormalInverseGamma.read(reading, low, high, prior)
