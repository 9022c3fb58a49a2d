"""Rewards on a scale: Normal–inverse-gamma posteriors."""

from collections.abc import Sequence

import msgspec
import numpy as np
from scipy import special

from croupier.core.arms.best import best_student
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.prior import Prior
from croupier.core.arms.sums import Reading, Tried


class NormalInverseGamma(msgspec.Struct, frozen=True, tag="normal", tag_field="kind"):
    """Independent beliefs about means of unknown variance; each mean is Student-t.

    σ² ~ InvGamma(α, β), μ | σ² ~ N(m, σ²/κ), so μ is Student-t with 2α degrees of freedom,
    location m and scale √(β / (ακ)). A prior says m₀ = mean, κ₀ = trials, α₀ = 1 and
    β₀ = deviation². Unsaid, it is worth one trial: with lo and hi the least and the largest reward
    that the declaration permits, m₀ = (lo + hi)/2, κ₀ = 1 and β₀ = (hi − lo)²/12, the variance of
    a uniform reward. After n trials with mean r̄ and S = Σr² − n r̄²: κ = κ₀ + n,
    m = (κ₀ m₀ + n r̄)/κ, α = α₀ + n/2, β = β₀ + S/2 + κ₀ n (r̄ − m₀)²/(2κ).

    >>> belief = NormalInverseGamma.read(Reading(n=(4,), r=(2.0,), r2=(1.5,)), low=0, high=1)
    >>> belief.m, belief.kappa, belief.alpha, round(belief.beta[0], 4)
    ((0.5,), (5.0,), (3.0,), 0.3333)

    Source: Murphy 2007, Conjugate Bayesian analysis of the Gaussian distribution.
    """

    m: tuple[float, ...]
    kappa: tuple[float, ...]
    alpha: tuple[float, ...]
    beta: tuple[float, ...]
    prior: tuple[float, float] = (0.5, 1.0)
    bounds: tuple[float, float] = (0.0, 1.0)
    doubt: tuple[float, ...] | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def read(
        cls, reading: Reading, low: float, high: float, prior: Prior | None = None
    ) -> "NormalInverseGamma":
        """The posterior after the trials that were read; rewards lie in [low, high]."""
        n, r, r2 = (np.asarray(x, dtype=np.float64) for x in (reading.n, reading.r, reading.r2))
        said = prior or Prior(mean=(low + high) / 2, trials=1.0)
        m0, kappa0, alpha0 = said.mean, said.trials, 1.0
        beta0 = (high - low) ** 2 / 12 if said.deviation is None else said.deviation**2
        mean = np.divide(r, n, out=np.full_like(r, m0), where=n > 0)
        scatter = np.maximum(r2 - n * mean**2, 0.0)
        kappa = kappa0 + n
        m = (kappa0 * m0 + n * mean) / kappa
        beta = beta0 + scatter / 2 + kappa0 * n * (mean - m0) ** 2 / (2 * kappa)
        columns = (m, kappa, alpha0 + n / 2, beta)
        return cls(*_four(*columns), (m0, kappa0), (low, high))

    def widened(self, variance: FloatArray) -> "NormalInverseGamma":
        """The same means, each less certain by a variance v that its own trials know nothing of.

        scale² = β/(ακ) + v: with σ̂² = β/α that is the width of σ̂²/(σ̂²/κ + v) trials. κ stays, for
        no further trial takes anything from v: what was `tried` is what it was. Where all v are 0
        nothing changes.

        >>> one = NormalInverseGamma(m=(0.5,), kappa=(100.0,), alpha=(51.0,), beta=(5.1,))
        >>> wide = one.widened(np.array([0.001]))
        >>> wide.mean().tolist(), one.scale().round(4).tolist(), wide.scale().round(4).tolist()
        ([0.5], [0.0316], [0.0447])
        """
        if not np.any(variance):
            return self
        return msgspec.structs.replace(self, doubt=tuple(variance.tolist()))

    def scale(self) -> FloatArray:
        """The scale of each mean's Student-t: √(β/(ακ) + v), v as it was widened by."""
        kappa, alpha, beta = (np.asarray(x) for x in (self.kappa, self.alpha, self.beta))
        own = beta / (alpha * kappa)
        doubt = 0.0 if self.doubt is msgspec.UNSET else np.asarray(self.doubt)
        return np.asarray(np.sqrt(own + doubt))

    def doubted(self) -> FloatArray | None:
        """The part of each mean's scale² that it was widened by, 0 to 1; None where it was not.

        >>> one = NormalInverseGamma(m=(0.5,), kappa=(100.0,), alpha=(51.0,), beta=(5.1,))
        >>> one.widened(np.array([0.003])).doubted().tolist()
        [0.75]
        """
        if self.doubt is msgspec.UNSET:
            return None
        return np.asarray(np.asarray(self.doubt) / self.scale() ** 2)

    def mean(self) -> FloatArray:
        """Expected reward a trial, one number an arm."""
        return np.asarray(self.m)

    def best(self) -> FloatArray:
        """P(arm is best), one number an arm, summing to 1."""
        return best_student(np.asarray(self.m), self.scale(), 2 * np.asarray(self.alpha))

    def at(self, levels: FloatArray) -> FloatArray:
        """Quantiles of each arm's expected reward, shape (K, L).

        >>> one = NormalInverseGamma(m=(0.5,), kappa=(5.0,), alpha=(3.0,), beta=(0.3333,))
        >>> one.at(np.array([0.025, 0.5, 0.975])).round(4).tolist()
        [[0.1353, 0.5, 0.8647]]
        """
        m, scale, alpha = (np.asarray(x)[:, None] for x in (self.m, self.scale(), self.alpha))
        return np.asarray(m + scale * special.stdtrit(2 * alpha, levels))

    def take(self, arms: Sequence[int]) -> "NormalInverseGamma":
        """The same beliefs, of the arms at these places only."""
        places = list(arms)
        columns = (np.asarray(x)[places] for x in (self.m, self.kappa, self.alpha, self.beta))
        doubt = self.doubt
        if doubt is not msgspec.UNSET:
            doubt = tuple(doubt[place] for place in places)
        return NormalInverseGamma(*_four(*columns), self.prior, self.bounds, doubt)

    def tried(self) -> Tried:
        """Trials and mean reward as a part of [lo, hi], without the prior.

        >>> reading = Reading(n=(4, 0), r=(2.0, 0.0), r2=(1.5, 0.0))
        >>> NormalInverseGamma.read(reading, low=0, high=2).tried()
        Tried(n=array([4., 0.]), mean=array([0.25, 0.  ]))
        """
        (m0, kappa0), kappa = self.prior, np.asarray(self.kappa)
        return Tried.of(kappa - kappa0, kappa * np.asarray(self.m) - kappa0 * m0, *self.bounds)


_Column = tuple[float, ...]


def _four(*columns: FloatArray) -> tuple[_Column, _Column, _Column, _Column]:
    m, kappa, alpha, beta = (tuple(column.tolist()) for column in columns)
    return m, kappa, alpha, beta
