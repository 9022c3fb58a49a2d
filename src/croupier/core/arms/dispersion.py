"""Whether trials scatter more than independent ones would, and how much."""

from typing import NamedTuple

import numpy as np
from scipy import special

from croupier.core.arms.deconfounded import Effects
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.scatter import within

DOUBT = 0.01
"""How often trials that are in order are taken for overdispersed."""


class Dispersion(NamedTuple):
    """φ, and how many standard errors above 1 it is; `factor` is what intervals are widened by."""

    phi: float
    z: float

    @property
    def factor(self) -> float:
        """φ where it is above 1 beyond doubt, else 1."""
        return max(self.phi, 1.0) if self.z > -special.ndtri(DOUBT) else 1.0


def dispersion(n: FloatArray, r: FloatArray, r2: FloatArray) -> Dispersion:
    """Pearson's factor φ: how far arms' means scatter over periods, to how far they should.

    With e = r̄ − β_period − μ_arm fitted by least squares, s² the variance of an arm's reward within
    a period, K_t arms in it and D = Σ_t (K_t − 1): φ = Σ n e² / Σ (1 − n/N_t) s² · D / (D − K + 1).
    It is 1 where trials are independent and the lift is the same at all times. It is more where
    one unit makes several trials of an hour, or where the lift itself comes and goes. A base rate
    that moves from period to period leaves it alone; where it moves within them while shares do,
    which of the arms had the better part scatters too: give it such sums as `estimate.spread` does.
    Units that come back in other hours and see the same arm again are not seen in it: make them one
    trial by a longer `session`. Shape (T, K).

    >>> n = np.full((4, 2), 100.0)
    >>> r = np.array([[10.0, 10.0], [30.0, 10.0], [10.0, 30.0], [20.0, 20.0]])
    >>> [round(each, 1) for each in dispersion(n, r, r)]
    [9.6, 11.8]

    Source: McCullagh & Nelder 1989, Generalized Linear Models, § 4.5.
    """
    usable = (n > 0).sum(axis=1) > 1
    variance = within(n, r, r2, 0)[usable]
    n, r, r2 = n[usable], r[usable], r2[usable]
    whole, known = n.sum(axis=1, keepdims=True), n > 0
    arms, pairs = int(known.any(axis=0).sum()), float(known.sum()) - len(n)
    degrees = pairs - arms + 1
    if degrees < 1:
        return Dispersion(1.0, 0.0)
    mean = Effects.fit(n, r).mean
    level = (r.sum(axis=1) - n @ mean)[:, None] / whole
    away = np.where(known, r / np.where(known, n, 1.0) - level - mean, 0.0)
    expected = (np.where(known, 1.0 - n / whole, 0.0) * variance).sum(axis=1) * degrees / pairs
    if expected.sum() <= 0:
        return Dispersion(1.0, 0.0)
    surplus = float(((n * away**2).sum(axis=1) - expected).sum())
    # A squared error of a sum of s rare successes has the variance (2 + 1/s)·expectation².
    earned, squares = r.sum(axis=0) ** 2, r2.sum(axis=0) * n.sum(axis=0)
    often = np.divide(earned, squares, out=np.zeros_like(earned), where=squares > 0)
    rarest = np.where(known, n * often, np.inf).min(axis=1)
    doubt = (2.0 + 1.0 / np.maximum(rarest, 1e-3)) / (known.sum(axis=1) - 1.0)
    error = float(np.sqrt((expected**2 * doubt).sum()))
    return Dispersion(1.0 + surplus / float(expected.sum()), surplus / error)
