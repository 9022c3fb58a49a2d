"""Equal shares: the A/B test."""

import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.arms.posterior import Posterior
from croupier.core.policies.base import Allocation


class Uniform(Allocation, frozen=True, tag="uniform"):
    """w = 1/K whatever is known: for a classical test, and for a clean log to evaluate on.

    Do not use it where a bad arm costs money: its regret grows for ever.

    >>> from croupier.core.arms.bernoulli import Beta
    >>> Uniform().weights(Beta((1.0, 9.0), (1.0, 1.0))).tolist()
    [0.5, 0.5]

    Source: Fisher 1935, The Design of Experiments.
    """

    def weights(self, posterior: Posterior) -> FloatArray:
        """1/K for each arm."""
        arms = len(posterior.mean())
        return np.full(arms, 1.0 / arms)
