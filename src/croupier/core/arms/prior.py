"""What is believed of an arm before its first trial: stated, or fitted."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from croupier.core.arms.sums import Sums
from croupier.core.reward import MICRO

LEAST_SHAPE = 0.01
"""A prior worth less, in successes or failures, would leave the range of the quadrature."""

MOST_TRIALS = 1e6


class Prior(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Each arm begins as if it had earned `mean` a trial in so many `trials`.

    `deviation` is how far single rewards scatter, for amounts only.
    """

    mean: float
    trials: float
    deviation: float | None = None

    def problems(self, kind: str, low: float, high: float) -> Iterator[tuple[str, str]]:
        """What is wrong with it for a posterior kind and rewards in [low, high]: (key, reason)."""
        if not low <= self.mean <= high:
            reason = f"expected what a trial can earn, {low:g} to {high:g}, got {self.mean:g}"
            yield "prior.mean", reason
        if not LEAST_SHAPE <= self.trials <= MOST_TRIALS:
            reason = f"expected {LEAST_SHAPE:g} to {MOST_TRIALS:,.0f}, got {self.trials:g}"
            yield "prior.trials", reason
        if kind != "normal" and self.deviation is not None:
            yield "prior.deviation", f'"{kind}" has none: it follows from the mean'
        if kind == "normal" and self.deviation is not None and not 0 < self.deviation <= high - low:
            yield "prior.deviation", f"expected above 0, at most {high - low:g}"
        sides = {"normal": (1.0,), "count": (self.mean / high,)}
        least = min(sides.get(kind, (self.mean, 1.0 - self.mean))) * self.trials
        if low <= self.mean <= high and self.trials > 0 and least < LEAST_SHAPE:
            yield (
                "prior",
                f"mean {self.mean:g} of {self.trials:g} trials is too little to begin with",
            )


class Fit(NamedTuple):
    """A fitted prior, from how many arms and trials, and whether those differ beyond chance."""

    prior: Prior
    arms: int
    trials: int
    differ: bool


def fit_prior(past: Sequence[Sums]) -> Fit:
    """The prior that arms of the past suggest for arms like them: Bühlmann and Straub's moments.

    s² = Σᵢ Sᵢ / Σᵢ (nᵢ − 1) is the variance within arms, Sᵢ = Σr² − nᵢ r̄ᵢ²; that between them is
    τ² = (Σᵢ nᵢ (r̄ᵢ − r̄)² / (K − 1) − s²) / n₀, with n₀ = (N − Σᵢ nᵢ² / N) / (K − 1). Then
    trials = s² / τ², and the mean is that of the r̄ᵢ with weights nᵢ / (nᵢ + trials). For rewards
    of 0 or 1 this is the moment fit of the beta-binomial (Kleinman 1973), and for counts that of
    the negative binomial.

    Arms that are all alike show a τ² of 0 ± s² √(2 / (K − 1)) / n₀. Where it is within that, the
    arms do not `differ`, and that error stands for τ²: trials are at most n₀ √((K − 1) / 2). With
    ten arms τ² is uncertain by half, with a hundred by a seventh.

    >>> past = [Sums(1000, r * MICRO, r * MICRO**2) for r in (12, 18, 25, 33, 22, 15)]
    >>> fit = fit_prior(past)
    >>> round(fit.prior.mean, 4), round(fit.prior.trials), fit.arms, fit.differ
    (0.0208, 551, 6, True)

    Raises:
        ValueError: if fewer than two arms were tried, or none twice.

    Source: Bühlmann & Straub 1970, Glaubwürdigkeit für Schadensätze; Kleinman 1973, Proportions
    with extraneous variance: single and independent samples.
    """
    tried = [sums for sums in past if sums.n > 0]
    if len(tried) < 2 or max(sums.n for sums in tried) < 2:
        raise ValueError("at least two arms must have been tried, and one of them twice")
    n = [sums.n for sums in tried]
    total, arms = sum(n), len(tried)
    means = [sums.r / sums.n / MICRO for sums in tried]
    middle = sum(sums.r for sums in tried) / total / MICRO
    # Whole numbers until the division: no digit is lost between Σr² and n r̄².
    scatter = sum((sums.r2 * sums.n - sums.r**2) / sums.n for sums in tried) / MICRO**2
    within = scatter / (total - arms)
    spread = sum(k * (mean - middle) ** 2 for k, mean in zip(n, means, strict=True))
    typical = (total - sum(k * k for k in n) / total) / (arms - 1)
    between = (spread / (arms - 1) - within) / typical
    by_chance = within * (2 / (arms - 1)) ** 0.5 / typical
    differ = between > by_chance
    most = typical * ((arms - 1) / 2) ** 0.5
    trials = min(max(within / between if differ else most, LEAST_SHAPE), MOST_TRIALS)
    weights = [k / (k + trials) for k in n]
    mean = sum(w * r for w, r in zip(weights, means, strict=True)) / sum(weights)
    return Fit(Prior(mean, trials, within**0.5), arms, total, differ)
