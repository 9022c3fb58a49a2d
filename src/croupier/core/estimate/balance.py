"""Whether arms were shown as often as their propensities say."""

from typing import NamedTuple

import numpy as np
from scipy import special

from croupier.core.arms.panels import FloatArray
from croupier.core.estimate.cells import Cells

ALARM = 1e-4
"""A smaller p, over all looks and arms together, is an alarm."""

_PLANNED = 10_000.0
"""The number of trials, in units of an arm's own scatter, at which the check is sharpest."""


class Balance(NamedTuple):
    """By arm: z of Σw against the trials, and p, valid however often one looks; shape (…, K)."""

    z: FloatArray
    p: FloatArray

    @property
    def least(self) -> float:
        """The least p of K arms, times K: one of them is enough; without leading axes."""
        return min(1.0, float(self.p.min()) * len(self.p))

    @property
    def alarm(self) -> bool:
        """Whether chance is no explanation."""
        return self.least < ALARM


def balance(cells: Cells, offered: FloatArray) -> Balance:
    """The check of each arm, from cells (…, T, K) and whether it was offered then, (T, K).

    A trial shows arm k with the propensity p that it carries; so w = 1/p where it did, 0 where it
    did not, is 1 on average, and D = Σw − N over the N trials (of any arm) in which k was offered
    has mean 0 and the variance Σ(1/p − 1), whatever the policy did. Of that, Σw² − Σw is an
    estimate without bias; Σ_t N_t (1/e_t − 1) with e_t = n/Σw, the period's propensity, is one that
    does not shrink when the arm is not shown, and the larger of both is V. z = D/√V, and
    p = min(1, √(1 + V/v)·exp(−D²/(2 (V + v)))) is anytime-valid (Robbins' normal mixture,
    v = 10,000 V/N). It finds lost impressions, cached pages, robots that one arm attracts, and
    weights that are not those that were drawn from. Where callers restrict the arms, w counts only
    the requests that could show the arm, and the check says nothing.

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
    n, w, w2 = (offered * each for each in (cells.n, cells.w, cells.w2))
    total = np.maximum(trials.sum(axis=-2), 1.0)
    away = w.sum(axis=-2) - trials.sum(axis=-2)
    known = n > 0
    here = np.where(known, np.arange(n.shape[-2])[:, None], 0)
    last = np.maximum.accumulate(here, axis=-2)
    scatter = np.divide(w, n, out=np.ones_like(n), where=known) - 1.0
    expected = (trials * np.take_along_axis(scatter, last, axis=-2)).sum(axis=-2)
    variance = np.maximum((w2 - w).sum(axis=-2), expected)
    sure = variance <= 1e-9 * total
    v = np.where(sure, 1.0, variance)
    z = np.where(sure & (np.abs(away) <= 1e-6 * total), 0.0, away / np.sqrt(v))
    planned = _PLANNED * v / total
    # exp() before log() would underflow: an arm that is plainly wrong has p = 0, not NaN.
    logarithm = 0.5 * np.log1p(v / planned) - away**2 / (2.0 * (v + planned))
    p = np.where(sure & (z == 0.0), 1.0, np.exp(np.minimum(logarithm, 0.0)))
    return Balance(z, p)


def two_sided(z: FloatArray) -> FloatArray:
    """The p of a z that is looked at once.

    >>> round(float(two_sided(np.array(-1.96))), 3)
    0.05
    """
    return np.asarray(2.0 * special.ndtr(-np.abs(z)))
