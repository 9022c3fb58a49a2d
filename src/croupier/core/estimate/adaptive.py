"""What an arm earns, although its share depended on what it earned."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from croupier.core.arms.panels import FloatArray
from croupier.core.arms.scatter import beyond_rounding
from croupier.core.estimate.cells import Cells, before
from croupier.core.estimate.contrast import ALPHA, Between

_FAR = 700.0
"""Beyond e to this power nothing is known."""


def adaptive_mean(
    arm: Cells,
    alpha: float = ALPHA,
    *,
    positive: bool = True,
    doubt: FloatArray | float = 0.0,
    still: NDArray[np.bool_] | None = None,
) -> Between:
    """Q = Σ_t h_t Γ_t / Σ_t h_t N_t: adaptively weighted, augmented inverse propensity weighting.

    Γ_t = N_t m + Σwr − m Σw sums the scores of the period's N_t decisions that could show the arm,
    right on average whatever m is. Nobody counts those (arms come and go within a period, callers
    restrict them), but Σw, w = 1/propensity, is N_t on average; so it stands for N_t, m falls out,
    and Q = Σ h_t Σwr / Σ h_t Σw. e_t = n / Σw is the period's propensity (where any arm's moved
    meanwhile, so that it did not stand `still`, that of the period before: its own knows of its
    luck), and h_t = √e_t makes scores of a period
    that rarely showed the arm, which scatter by 1/e_t, count no more than they know. The variance
    is se² = Σ h_t² Σ w²(r − Q)² / (Σ h_t Σw)², and `doubt` more, which fitted weights of the
    reward leave. Where rewards are `positive` (never below 0) the
    interval is Q·exp(± z·se/Q): of few successes the plain one lies too low.

    It takes the arm's mean to be the same in all periods; where the base rate moves it is a mean
    over them, weighted by h. Not known before the first trial, nor how sure while all were alike.

    >>> one = np.array([50.0, 50.0])
    >>> arm = Cells(one, one / 10, one / 10, 2 * one, 4 * one, one / 5, 2 * one / 5, 2 * one / 5)
    >>> [round(float(x), 3) for x in adaptive_mean(arm)]
    [0.1, 0.056, 0.18]

    Source: Hadad, Hirshberg, Zhan, Wager & Athey 2021, Confidence intervals for policy evaluation
    in adaptive experiments (arXiv 1911.02768), with their constant allocation rate; Hájek 1971.
    """
    h = np.sqrt(_propensities(arm, arm.steady() if still is None else still))
    known = (arm.n > 0).any(axis=-1)
    whole = np.where(known, (h * arm.w).sum(axis=-1), 1.0)
    value = (h * arm.wr).sum(axis=-1) / whole
    q = value[..., None]
    off = (h * h * (arm.w2r2 - 2.0 * q * arm.w2r + q * q * arm.w2)).sum(axis=-1)
    scatter = beyond_rounding(off, (h * h * arm.w2r2).sum(axis=-1))
    variance = np.where(scatter > 0, scatter, np.inf) / whole**2 + doubt
    reach = -special.ndtri(alpha / 2) * np.sqrt(variance)
    low, high = value - reach, value + reach
    if positive:
        told = (value > 0) & (reach < _FAR * value)
        far = np.where(told, reach, 0.0) / np.where(told, value, 1.0)
        low = np.where(told, value * np.exp(-far), 0.0)
        high = np.where(told, value * np.exp(far), np.inf)
    ends = np.where(known, low, -np.inf), np.where(known, high, np.inf)
    return Between(np.where(known, value, np.nan), *ends)


def _propensities(arm: Cells, still: NDArray[np.bool_]) -> FloatArray:
    """Of each period, n / Σw; where it moved, or nothing was drawn, the last known before."""
    drawn = arm.n > 0
    own = np.divide(arm.n, arm.w, out=np.ones_like(arm.n), where=drawn)
    return np.where(drawn & still, own, before(own, drawn))
