"""Rewards that are counts: Gamma posteriors of Poisson rates."""

from collections.abc import Sequence

import msgspec
import numpy as np
from scipy import special

from croupier.core.arms.best import best_gamma
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.prior import Prior
from croupier.core.arms.sums import Reading, Tried


class Gamma(msgspec.Struct, frozen=True, tag="count", tag_field="kind"):
    """Independent Gamma(a, b) beliefs about outcomes a trial; all begin as Gamma(a₀, b₀).

    With Poisson counts c = r / u, u what each outcome earns: a = a₀ + Σc, b = b₀ + n, and the mean
    reward is u · a / b. A stated prior gives a₀ = mean / u · trials and b₀ = trials; unsaid it is
    Gamma(1, 1), one outcome in one trial. Use it for plays, items, pages; not for counts that
    scatter much more than a Poisson's (variance ≫ mean), nor where `cap` often cuts: its belief is
    then too sure or too wide, and "normal" measures the scatter instead.

    >>> belief = Gamma.read(Reading(n=(40,), r=(59.0,), r2=(190.0,)), unit=1.0, high=5.0)
    >>> belief.a, belief.b, round(float(belief.mean()[0]), 4)
    ((60.0,), (41.0,), 1.4634)

    Source: Gelman et al. 2013, Bayesian Data Analysis, 2.6.
    """

    a: tuple[float, ...]
    b: tuple[float, ...]
    prior: tuple[float, float] = (1.0, 1.0)
    unit: float = 1.0
    high: float = 1.0

    @classmethod
    def read(
        cls, reading: Reading, unit: float, high: float, prior: Prior | None = None
    ) -> "Gamma":
        """The posterior after the trials that were read; `high` is the most that one can earn."""
        said = prior or Prior(mean=unit, trials=1.0)
        a0, b0 = said.mean / unit * said.trials, said.trials
        a, b = a0 + np.asarray(reading.r) / unit, b0 + np.asarray(reading.n)
        return cls(tuple(a.tolist()), tuple(b.tolist()), (a0, b0), unit, high)

    def mean(self) -> FloatArray:
        """Expected reward a trial, one number an arm."""
        return np.asarray(self.unit * np.asarray(self.a) / np.asarray(self.b))

    def best(self) -> FloatArray:
        """P(arm is best), one number an arm, summing to 1."""
        return best_gamma(np.asarray(self.a), np.asarray(self.b))

    def at(self, levels: FloatArray) -> FloatArray:
        """Quantiles of each arm's expected reward, shape (K, L).

        >>> Gamma(a=(60.0,), b=(41.0,)).at(np.array([0.025, 0.975])).round(4).tolist()
        [[1.1167, 1.8562]]
        """
        a, b = np.asarray(self.a)[:, None], np.asarray(self.b)[:, None]
        return np.asarray(self.unit * special.gammaincinv(a, levels) / b)

    def take(self, arms: Sequence[int]) -> "Gamma":
        """The same beliefs, of the arms at these places only."""
        a, b = (tuple(column[i] for i in arms) for column in (self.a, self.b))
        return Gamma(a, b, self.prior, self.unit, self.high)

    def tried(self) -> Tried:
        """Trials and mean reward as a part of the most that one can earn, without the prior.

        >>> Gamma(a=(60.0,), b=(41.0,), high=5.0).tried()
        Tried(n=array([40.]), mean=array([0.295]))
        """
        outcomes, trials = np.asarray(self.a) - self.prior[0], np.asarray(self.b) - self.prior[1]
        return Tried.of(trials, outcomes * self.unit, 0.0, self.high)
