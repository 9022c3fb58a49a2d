"""Rewards on a scale: Normal–inverse-gamma posteriors."""

from collections.abc import Sequence

import msgspec
import numpy as np

from croupier.core.arms.best import best_student
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import Reading


class NormalInverseGamma(msgspec.Struct, frozen=True, tag="normal", tag_field="kind"):
    """Independent beliefs about means of unknown variance; each mean is Student-t.

    σ² ~ InvGamma(α, β), μ | σ² ~ N(m, σ²/κ), so μ is Student-t with 2α degrees of freedom,
    location m and scale √(β / (ακ)). The prior is worth one trial: with lo and hi the least and
    the largest reward that the declaration permits, m₀ = (lo + hi)/2, κ₀ = 1, α₀ = 1,
    β₀ = (hi − lo)²/12, the variance of a uniform reward. After n trials with mean r̄ and
    S = Σr² − n r̄²: κ = κ₀ + n, m = (κ₀ m₀ + n r̄)/κ, α = α₀ + n/2,
    β = β₀ + S/2 + κ₀ n (r̄ − m₀)²/(2κ).

    >>> belief = NormalInverseGamma.read(Reading(n=(4,), r=(2.0,), r2=(1.5,)), low=0, high=1)
    >>> belief.m, belief.kappa, belief.alpha, round(belief.beta[0], 4)
    ((0.5,), (5.0,), (3.0,), 0.3333)

    Source: Murphy 2007, Conjugate Bayesian analysis of the Gaussian distribution.
    """

    m: tuple[float, ...]
    kappa: tuple[float, ...]
    alpha: tuple[float, ...]
    beta: tuple[float, ...]

    @classmethod
    def read(cls, reading: Reading, low: float, high: float) -> "NormalInverseGamma":
        """The posterior after the trials that were read; rewards lie in [low, high]."""
        n, r, r2 = (np.asarray(x, dtype=np.float64) for x in (reading.n, reading.r, reading.r2))
        m0, kappa0, alpha0, beta0 = (low + high) / 2, 1.0, 1.0, (high - low) ** 2 / 12
        mean = np.divide(r, n, out=np.full_like(r, m0), where=n > 0)
        scatter = np.maximum(r2 - n * mean**2, 0.0)
        kappa = kappa0 + n
        m = (kappa0 * m0 + n * mean) / kappa
        beta = beta0 + scatter / 2 + kappa0 * n * (mean - m0) ** 2 / (2 * kappa)
        columns = (m, kappa, alpha0 + n / 2, beta)
        return cls(*(tuple(column.tolist()) for column in columns))

    def mean(self) -> FloatArray:
        """Expected reward a trial, one number an arm."""
        return np.asarray(self.m)

    def best(self) -> FloatArray:
        """P(arm is best), one number an arm, summing to 1."""
        kappa, alpha, beta = (np.asarray(x) for x in (self.kappa, self.alpha, self.beta))
        return best_student(np.asarray(self.m), np.sqrt(beta / (alpha * kappa)), 2 * alpha)

    def take(self, arms: Sequence[int]) -> "NormalInverseGamma":
        """The same beliefs, of the arms at these places only."""
        columns = (self.m, self.kappa, self.alpha, self.beta)
        return NormalInverseGamma(*(tuple(column[i] for i in arms) for column in columns))
