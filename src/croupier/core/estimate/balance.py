"""Whether arms were shown as often as their propensities say."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.estimate.cells import Cells
from croupier.core.estimate.draws import Draws

ALARM = 1e-4
"""A smaller p, over all looks and arms together, is an alarm."""

PLANNED = 10_000.0
"""The number of trials, in units of an arm's own scatter, at which the check is sharpest."""

_MISSING = (
    "impressions of it that are lost or sent late, pages that it breaks, and propensities other "
    "than those that were drawn with; see docs/howto/read-the-estimates.md"
)
_TOO_MANY = (
    "cached pages and robots that show it again, impressions of others that are lost, and "
    "propensities other than those that were drawn with; see docs/howto/read-the-estimates.md"
)


class Balance(NamedTuple):
    """By arm: z of Σw against the trials, and p, valid however often one looks; shape (…, K).

    `seen` trials showed it, of `trials` in which it could be, where `expected` were to: n·N/Σw.
    """

    z: FloatArray
    p: FloatArray
    seen: FloatArray
    expected: FloatArray
    trials: FloatArray

    @property
    def least(self) -> float:
        """The least p of K arms, times K: one of them is enough; without leading axes."""
        return min(1.0, float(self.p.min()) * len(self.p))

    @property
    def alarm(self) -> bool:
        """Whether chance is no explanation."""
        return self.least < ALARM

    def words(self, names: Sequence[str], plural: str = "trials") -> str:
        """What is wrong with the arm that is furthest out, and where to look; without leading axes.

        >>> one = [np.array([each]) for each in (-6.0, 1e-8, 900.0, 1000.0, 10_000.0)]
        >>> Balance(*one).words(["b"]).partition(": ")[0]
        'b was shown in 900 of 10,000 trials, where its propensities make it 1,000 (p = 1e-08)'
        """
        k = int(np.argmin(self.p))
        seen, trials = round(float(self.seen[k])), round(float(self.trials[k]))
        meant = f"{self.expected[k]:,.0f}" if seen else "some"
        return (
            f"{names[k]} was shown in {seen:,} of {trials:,} {plural}, where its propensities make "
            f"it {meant} (p = {self.least:.1g}): look for "
            + (_MISSING if self.z[k] < 0 else _TOO_MANY)
        )


def balance(
    cells: Cells,
    offered: FloatArray,
    planned: float = PLANNED,
    scatter: FloatArray | None = None,
    groups: Cells | None = None,
    least: float = 0.0,
) -> Balance:
    """The check of each arm, from cells (…, T, K) and the part of trials that offered it, (T, K).

    A trial shows arm k with the propensity p that it carries; so w = 1/p where it did, 0 where it
    did not, is 1 on average, and D = Σw − N over the N trials (of any arm) in which k was offered
    has mean 0 and the variance V = Σ(1/p − 1), whatever the policy did. z = D/√V, and
    p = min(1, √(1 + V/v)·exp(−D²/(2 (V + v)))) is anytime-valid (Robbins' normal mixture,
    v = `planned` V/N). Where V is known, it is given as `scatter`, (T, K), else NaN. It is known,
    too, of periods in which no propensity moved: they are e = n/Σw, and sum to 1. Of others Σw² −
    Σw is an estimate without bias, and Σ_t N_t (1/e_t − 1) one that does not shrink when the arm is
    not shown; but both shrink where it was to be shown rarely, and was not. No propensity is below
    the `least`, f, so an arm that missed −D visits by chance had a V of up to −D (1/f − 1) in them,
    and V is the largest of the three. It finds lost impressions, cached pages, robots that one arm
    attracts, and weights that are not those that were drawn from. Where callers restrict the arms,
    w counts only the requests that could show the arm: what part of all these were must then be
    known. Where a unit always meets the same arm its trials are one draw: from `groups` of units,
    (G, K), V is what D scatters between them, if that is more.

    >>> n = np.array([[9_000.0, 1_000.0]] * 4)
    >>> w = n / np.array([0.9, 0.1])
    >>> rest = [np.zeros((4, 2))] * 3
    >>> even = Cells(n, n, n, w, w / np.array([0.9, 0.1]), *rest)
    >>> lost = even._replace(n=n * [1, 0.9], w=w * [1, 0.9], w2=even.w2 * [1, 0.9])
    >>> [[round(float(x), 1) for x in balance(each, np.ones((4, 2))).z] for each in (even, lost)]
    [[0.0, 0.0], [6.0, -6.0]]

    Source: Fabijan et al. 2019, Diagnosing Sample Ratio Mismatch in Online Controlled Experiments;
    Lindon & Malek 2022, Anytime-Valid Inference for Multinomial Count Data; Robbins 1970.
    """
    trials = offered * cells.n.sum(axis=-1, keepdims=True)
    n, w, w2 = ((offered > 0) * each for each in (cells.n, cells.w, cells.w2))
    total = np.maximum(trials.sum(axis=-2), 1.0)
    away = w.sum(axis=-2) - trials.sum(axis=-2)
    variance = _scatter(Cells(n, n, n, w, w2, w, w2, w2), trials, least)
    if scatter is not None:
        told = scatter.sum(axis=-2)
        variance = np.where(np.isnan(told), variance, told)
    if groups is not None:
        variance = np.maximum(variance, _between(groups))
    sure = variance <= 1e-9 * total
    v = np.where(sure, 1.0, variance)
    z = np.where(sure & (np.abs(away) <= 1e-6 * total), 0.0, away / np.sqrt(v))
    # exp() before log() would underflow: an arm that is plainly wrong has p = 0, not NaN.
    logarithm = 0.5 * np.log1p(total / planned) - away**2 / (2.0 * v * (1.0 + planned / total))
    p = np.where(sure & (z == 0.0), 1.0, np.exp(np.minimum(logarithm, 0.0)))
    count, weight = n.sum(axis=-2), w.sum(axis=-2)
    meant = np.divide(count * total, weight, out=np.zeros_like(weight), where=weight > 0)
    return Balance(z, p, count, meant, trials.sum(axis=-2))


def _scatter(cells: Cells, trials: FloatArray, least: float) -> FloatArray:
    """V of each arm as far as its sums tell: shape (…, T, K) → (…, K)."""
    n, w, w2 = cells.n, cells.w, cells.w2
    shown = n > 0
    inverse = np.divide(w, n, out=np.ones_like(n), where=shown) - 1.0
    still = Draws.of(cells).still & (shown | (trials == 0)).all(axis=-1)
    of_known = np.where(still[..., None], trials * inverse, 0.0).sum(axis=-2)

    open_ = ~still[..., None]
    here = np.where(shown, np.arange(n.shape[-2])[:, None], 0)
    last = np.maximum.accumulate(here, axis=-2)
    spread = trials * np.take_along_axis(inverse, last, axis=-2)
    missed = np.maximum((open_ * (trials - w)).sum(axis=-2), 0.0)
    most = np.inf if least <= 0 else 1.0 / least - 1.0
    by_chance = missed * np.where(missed > 0, most, 0.0)
    guessed = [(open_ * each).sum(axis=-2) for each in (w2 - w, spread)]
    return np.asarray(of_known + np.maximum(np.maximum(*guessed), by_chance))


def _between(groups: Cells) -> FloatArray:
    """The variance of D from its scatter between groups of units, G/(G − 1) Σ (D_g − D̄)².

    Σw is Σ1/propensity: the second column of weights, for groups weigh by 1/√propensity.
    """
    away = groups.w2 - groups.n.sum(axis=-1, keepdims=True)
    count = len(away)
    found = ((away - away.mean(axis=0)) ** 2).sum(axis=0) * count / (count - 1.0)
    return np.asarray(found)
