"""Two arms compared within periods, whatever base rate and shares do."""

from typing import NamedTuple

import numpy as np
from scipy import special

from croupier.core.arms.panels import FloatArray
from croupier.core.arms.scatter import beyond_rounding
from croupier.core.estimate.cells import Cells, before
from croupier.core.estimate.doubted import CERTAIN, Doubted
from croupier.core.estimate.draws import Draws

ALPHA = 0.05
"""How often an interval may be wrong."""

_FAR = 600.0
"""Beyond e to this power nothing is known."""


class Between(NamedTuple):
    """An estimate, and the interval around it; an end that is not known is infinite."""

    value: FloatArray
    low: FloatArray
    high: FloatArray


class Contrast(NamedTuple):
    """What each period says of an arm (1) against another (0); periods add up.

    gained = s m₁ and base = s m₀, with m the arm's mean in the period, Σwr/Σw, w = 1/propensity;
    noise₁ and noise₀ are their variances, s² σ²/e with e = (Σw)²/Σw² (n where w is constant), and
    `alike` is their sum if both arms scatter as they do together; size = s. All are 0 in a period
    that did not show both: an arm that joined late is compared with what was shown beside it.

    Where the propensities stood still in a period, m is Σr/n, and s = √(n₁ n₀)/2 makes each
    trial of each period count the same, whatever the shares (batched least squares). Mantel and
    Haenszel's s = n₁ n₀/(n₁ + n₀) errs under a bandit: the share of an unlucky arm falls, so the
    periods in which it was unlucky outweigh those in which it might have recovered. Where the
    propensities moved, the same holds within the period: Σr/n has stopped at bad luck, and √(n₁ n₀)
    knows of it; so s = √(V₁ e₁ V₀ e₀)/2, with V the visits that each side was drawn from, and e
    the propensities n/Σw of the last period before that showed both.

    Source: Zhang, Janson & Murphy 2020, Inference for Batched Bandits (arXiv 2002.03217); Hájek
    1971 for m.
    """

    gained: FloatArray
    base: FloatArray
    noise1: FloatArray
    noise0: FloatArray
    alike: FloatArray
    size: FloatArray

    @classmethod
    def of(
        cls,
        arm: Cells,
        other: Cells,
        *,
        propensities: bool = False,
        draws: tuple[Draws, Draws] | None = None,
    ) -> "Contrast":
        """The contrast of each period in order of time, shape (…, T); w = 1 without `propensities`.

        `draws` say how both were drawn; without them, as two arms beside no others.

        A variance is that within the period, so that a base rate which moves does not count as
        noise, and it is unbiased in periods of two trials as in those of a million.

        >>> one = [Cells(np.array([n]), np.array([r]), *[np.array([r])] * 6)
        ...        for n, r in ((900.0, 90.0), (100.0, 8.0))]
        >>> found = Contrast.of(*one)
        >>> [round(float(each[0]), 1) for each in (found.size, found.gained, found.base)]
        [150.0, 15.0, 12.0]
        """
        if not propensities:
            arm, other = arm.plain(), other.plain()
            draws = Draws.as_they_came(arm), Draws.as_they_came(other)
        size = _sizes(arm, other, draws or (Draws.between(arm, other),) * 2)
        worth1, worth0 = (np.maximum(each.effective(), 1.0) for each in (arm, other))
        alike = _alike(arm, other)
        return cls(
            size * arm.mean(),
            size * other.mean(),
            size**2 * _own(arm, alike) / worth1,
            size**2 * _own(other, alike) / worth0,
            size**2 * (1.0 / worth1 + 1.0 / worth0) * alike,
            size,
        )

    def total(self) -> "Contrast":
        """All periods: shape (…, T) → (…)."""
        return Contrast(*(each.sum(axis=-1) for each in self))

    def so_far(self) -> "Contrast":
        """What was known at the end of each period, shape (…, T)."""
        return Contrast(*(np.cumsum(each, axis=-1) for each in self))

    def ratio(
        self,
        alpha: float = ALPHA,
        dispersion: FloatArray | float = 1.0,
        doubted: Doubted = CERTAIN,
    ) -> Between:
        """θ = Σ gained / Σ base, a Mantel–Haenszel ratio, with θ·exp(± z·se).

        se² = (φ·(Σ noise₁ + θ² Σ noise₀) + D(θ)) / (Σ gained)²: Greenland and Robins' estimator
        with the variance found within periods in place of the Poisson one, so that it serves counts
        and amounts too. Of a `total`; `dispersion` is φ, and D what fitted weights leave `doubted`.
        Not known while either arm has earned nothing.

        >>> two = Contrast(*map(np.array, (75.0, 60.0, 72.0, 57.0, 129.0, 1500.0)))
        >>> [round(float(x), 3) for x in two.ratio()]
        [1.25, 0.897, 1.742]

        Source: Mantel & Haenszel 1959; Greenland & Robins 1985, Estimation of a common effect
        parameter from sparse follow-up data.
        """
        known = (self.gained > 0) & (self.base > 0)
        gained, base = np.where(known, self.gained, 1.0), np.where(known, self.base, 1.0)
        value = gained / base
        noise = dispersion * (self.noise1 + value**2 * self.noise0)
        seen = known & (noise > 0)  # rewards that were all alike leave everything open
        far = _z(alpha) * np.sqrt(noise + doubted.noise(value)) / gained
        seen &= far < _FAR
        reach = np.exp(np.minimum(far, _FAR))
        low, high = np.where(seen, value / reach, 0.0), np.where(seen, value * reach, np.inf)
        return Between(np.where(known, value, np.nan), low, high)

    def difference(
        self,
        alpha: float = ALPHA,
        dispersion: FloatArray | float = 1.0,
        doubted: Doubted = CERTAIN,
    ) -> Between:
        """δ = Σ (gained − base) / Σ size, with δ ± z·√(φ (Σ noise₁ + Σ noise₀) + D(1)) / Σ size.

        A Mantel–Haenszel difference: each period's own, weighted by its size. Of a `total`.

        >>> two = Contrast(*map(np.array, (75.0, 60.0, 72.0, 57.0, 129.0, 1500.0)))
        >>> [round(float(x), 4) for x in two.difference()]
        [0.01, -0.0048, 0.0248]

        Source: Greenland & Robins 1985; weighting as by Cochran 1954.
        """
        known, noise = self.size > 0, self.noise1 + self.noise0
        size = np.where(known, self.size, 1.0)
        value = (self.gained - self.base) / size
        reach = _z(alpha) * np.sqrt(dispersion * noise + doubted.noise()) / size
        seen = known & (noise > 0)  # rewards that were all alike leave everything open
        ends = np.where(seen, value - reach, -np.inf), np.where(seen, value + reach, np.inf)
        return Between(np.where(known, value, np.nan), *ends)


def _sizes(arm: Cells, other: Cells, draws: tuple[Draws, Draws]) -> FloatArray:
    """s: how much each period counts, shape (…, T), whatever its own luck."""
    both = (arm.n > 0) & (other.n > 0)
    n1, n0 = np.where(both, arm.n, 1.0), np.where(both, other.n, 1.0)
    e1, e0 = (each.n / np.where(each.n > 0, each.w, 1.0) for each in (arm, other))
    last = np.sqrt(draws[0].visits * draws[1].visits) * before(np.sqrt(e1 * e0), both)
    sizes = np.where(draws[0].still & draws[1].still, np.sqrt(n1 * n0), last) / 2.0
    return np.asarray(np.where(both, sizes, 0.0))


def _alike(arm: Cells, other: Cells) -> FloatArray:
    """The variance of a reward in a period, taken to be the same in both arms."""
    scatter = np.zeros_like(arm.n)
    for each in (arm, other):
        scatter += beyond_rounding(each.r2 - each.r**2 / np.maximum(each.n, 1.0), each.r2)
    return scatter / np.maximum(arm.n + other.n - 2.0, 1.0)


def _own(arm: Cells, alike: FloatArray) -> FloatArray:
    """The variance of an arm's reward; that of both where its own trials never differed at all."""
    variance = arm.variance()
    return np.where(np.any(variance > 0, axis=-1, keepdims=True), variance, alike)


def _z(alpha: float) -> float:
    return float(-special.ndtri(alpha / 2))
