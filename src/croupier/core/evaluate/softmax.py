"""Softmax, to compare with: shares that grow with the mean alone."""

from typing import Self

import numpy as np
from scipy import special

from croupier.core.arms.panels import FloatArray
from croupier.core.arms.posterior import Posterior
from croupier.core.policies.base import Allocation


class Softmax(Allocation, frozen=True, tag="softmax"):
    """Weights e^(r̄/τ)/Σ e^(r̄/τ), r̄ the mean as a part of what a trial can earn, τ `temperature`.

    An arm without trials counts as one that always earns the most. It may be evaluated, and not
    declared: its shares do not say how sure it is, and the right τ depends on what nobody knows.

    >>> from croupier.core.arms.bernoulli import Beta
    >>> two = Beta((2.0, 3.0), (4.0, 3.0))  # 1 of 4 and 2 of 4
    >>> Softmax(temperature=0.25).weights(two).round(4).tolist()  # 1 : e
    [0.2689, 0.7311]

    Source: Luce 1959, Individual Choice Behavior; Sutton & Barto 2018, section 2.8.
    """

    temperature: float = 0.1

    @classmethod
    def of(cls, text: str) -> Self:
        """The policy that a text names; ValueError for one that cannot be.

        >>> Softmax.of("softmax:temperature=0.5").temperature
        0.5
        """
        key, _, value = text.partition(":")[2].partition("=")
        if key not in {"", "temperature"}:
            raise ValueError(f"softmax has temperature, and no {key[:40]!r}")
        made = cls() if not key else cls(temperature=float(value))
        if not 0 < made.temperature < np.inf:
            raise ValueError(f"temperature must be above 0, got {made.temperature}")
        return made

    def weights(self, posterior: Posterior) -> FloatArray:
        """The share of each arm before the floor."""
        n, mean = posterior.tried()
        return np.asarray(special.softmax(np.where(n > 0, mean, 1.0) / self.temperature))
