"""Each arm's share is the probability that it is the best."""

from collections.abc import Sequence

from croupier.core.arms.deconfounded import deconfound
from croupier.core.arms.design_effect import pooled
from croupier.core.arms.dispersion import dispersion
from croupier.core.arms.leaders import Leaders
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.posterior import Posterior
from croupier.core.arms.strata import Strata
from croupier.core.arms.sums import Reading
from croupier.core.arms.table import ArmTable
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

    With `deconfounded` the posterior is made of effects within periods, so that a base rate which
    moves favours no arm for having been shown in good times. With `overdispersed` it is as wide as
    arms' means scatter over periods: n, Σr and Σr² are divided by Pearson's factor φ,
    and by what groups of units scatter more than they should, where these are kept.

    Source: Thompson 1933; Russo et al. 2018, A Tutorial on Thompson Sampling; Qin & Russo 2022.
    """

    deconfounded: bool = False
    overdispersed: bool = False

    def reading(
        self,
        table: ArmTable,
        arms: Sequence[int],
        watermark: int,
        period: int,
        bounds: tuple[float, float],
    ) -> Reading:
        """What the posterior of these arms is made of; a trial earns within `bounds`."""
        if not (self.deconfounded or self.overdispersed):
            return super().reading(table, arms, watermark, period, bounds)
        tried, columns = table.periods(watermark, period, self.age_weight)
        sums = deconfound(columns, *bounds) if self.deconfounded else columns.sum(axis=1)
        if self.overdispersed:
            returning = max(pooled(table.groups.read(tried)[:3]), 1.0)
            sums = sums / (dispersion(*columns).factor + returning - 1.0)
        known = dict(zip(tried, sums.T.tolist(), strict=True))
        n, r, r2 = zip(*(known.get(arm, (0.0, 0.0, 0.0)) for arm in arms), strict=True)
        return Reading(n, r, r2)

    def weights(self, posterior: Posterior) -> FloatArray:
        """P(arm is best), one number an arm."""
        return posterior.best()

    def leaders(self, posterior: Posterior, strata: Strata, depth: int) -> Leaders:
        """Samples of the joint posterior: ranking each of them is Thompson sampling of a slate."""
        return Leaders.of_samples(posterior, strata, depth)
