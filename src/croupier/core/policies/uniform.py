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

    def index(self, posterior: Posterior) -> FloatArray:
        """The same for each arm."""
        return np.zeros(len(posterior.mean()))

    def exploring(self, posterior: Posterior) -> float:  # noqa: ARG002 - whatever is known
        """All of the traffic."""
        return 1.0
