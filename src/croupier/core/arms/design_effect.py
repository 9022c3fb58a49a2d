"""Design effects of units that return: from the scatter between their groups."""

from typing import NamedTuple, Self

import numpy as np
from scipy import special

from croupier.core.arms.panels import FloatArray

_ONCE = float(special.ndtri(0.975))
_LUCK = 16.0
_LEAST = 0.1
"""How much of the scatter must be between groups for it to be known at all."""
_OFTEN = 3.0
"""How many standard errors away the end of a confidence sequence is, about."""


class Away(NamedTuple):
    """How far the sums of an arm's groups are from their share of the whole, shape (…, G).

    `off` is U_g = Σhr − m Σh over the group's trials with the arm's mean m, Σ_g U_g = 0; `own` is
    the variance of a group's own trials if these are independent, Σh²(r − m)² of the arm, shared
    out by Σh²; `left`, shape (…), is E Σ U_g² then: Σ own − Σ own²/Σ own, for m is made of the same
    trials. Each trial weighs h.
    """

    off: FloatArray
    own: FloatArray
    left: FloatArray

    @classmethod
    def of(cls, sums: FloatArray) -> Self:
        """From Σh, Σhr, Σh², Σh²r and Σh²r² by group, shape (5, …, G).

        >>> n, r = np.array([50.0, 50.0]), np.array([8.0, 2.0])
        >>> [each.tolist() for each in Away.of(np.array([n, r, n, r, r]))]
        [[3.0, -3.0], [4.5, 4.5], 4.5]
        """
        h, hr, h2, h2r, h2r2 = sums
        whole = h.sum(axis=-1, keepdims=True)
        mean = hr.sum(axis=-1, keepdims=True) / np.where(whole > 0, whole, 1.0)
        scatter = (h2r2 - 2.0 * mean * h2r + mean**2 * h2).sum(axis=-1, keepdims=True)
        weight = h2.sum(axis=-1, keepdims=True)
        part = np.divide(h2, weight, out=np.zeros_like(h2), where=weight > 0)
        own = np.maximum(scatter, 0.0) * part
        return cls(hr - mean * h, own, (own * (1.0 - part)).sum(axis=-1))

    def scaled(self, noise: FloatArray) -> "Away":
        """The same in other units: such that Σ own = `noise`, shape (…)."""
        own = self.own.sum(axis=-1)
        square = np.asarray(np.where(own > 0, noise / np.where(own > 0, own, 1.0), 0.0))
        each = square[..., None]
        return Away(np.sqrt(each) * self.off, each * self.own, square * self.left)

    def minus(self, other: "Away") -> "Away":
        """Of the difference between two arms: what a unit does to both alike cancels out."""
        return Away(self.off - other.off, self.own + other.own, self.left + other.left)


class Effect(NamedTuple):
    """The design effect φ of units that return, and its degrees of freedom; 1 where unknown."""

    phi: FloatArray
    degrees: FloatArray

    @classmethod
    def of(cls, away: Away) -> Self:
        """φ = Σ U_g² / E Σ U_g²: 1 on average where trials are independent.

        That is so whatever shares do, for units are hashed into groups: all groups are alike but
        by chance. Its relative error is √(2/d), d = (Σ own)²/Σ own² − 1: 63, or less where a few
        units make most trials, or weigh most. Where each arm's are all in one group nothing is
        known: φ = 1 of d = 1.

        >>> even = np.full(64, 100.0)
        >>> wins = even / 10 + np.tile([4.0, -4.0], 32)  # 16, not 9: the scatter within
        >>> found = Effect.of(Away.of(np.array([even, wins, even, wins, wins])))
        >>> [round(float(each), 2) for each in found]
        [1.81, 63.0]

        Source: Rao & Scott 1992, A simple method for the analysis of clustered binary data; Carter,
        Schnepel & Steigerwald 2017, Asymptotic behavior of a t-test robust to cluster
        heterogeneity, for the degrees of freedom.
        """
        own, squares = away.own.sum(axis=-1), (away.own**2).sum(axis=-1)
        known = own > 0
        told = known & (away.left > _LEAST * own)
        degrees = np.where(known, own**2 / np.where(known, squares, 1.0) - 1.0, np.inf)
        scatter = (away.off**2).sum(axis=-1) / np.where(told, away.left, 1.0)
        least = np.where(known & ~told, 1.0, np.maximum(degrees, 1.0))
        return cls(np.where(told, scatter, 1.0), least)

    @property
    def once(self) -> FloatArray:
        """What a variance is multiplied by for a 95 % interval of one look: φ·(t/z)².

        z and t are the quantiles of the normal law and of Student's. It may be below 1, as it is
        in half of all cases where nobody returns: so intervals hold in 95 %, and not in more. But
        it is never below 16/d (or 1), for with few degrees of freedom luck goes far.
        """
        return np.maximum(self._by(_ONCE), np.minimum(_LUCK / self.degrees, 1.0))

    @property
    def always(self) -> FloatArray:
        """The same for what is looked at often, three standard errors out: never below 1."""
        return np.maximum(self._by(_OFTEN), 1.0)

    def _by(self, z: float) -> FloatArray:
        return np.asarray(self.phi * (special.stdtrit(self.degrees, special.ndtr(z)) / z) ** 2)


def pooled(sums: FloatArray) -> float:
    """φ of all arms together, from n, Σr and Σr² by group, shape (3, G, K); each trial weighs 1.

    >>> even = np.full((64, 2), 100.0)
    >>> wins = even / 10 + np.tile([[4.0], [-4.0]], (32, 2))
    >>> round(pooled(np.array([even, wins, wins])), 2)
    1.81
    """
    n, r, r2 = np.swapaxes(sums, -1, -2)
    away = Away.of(np.stack([n, r, n, r, r2]))
    own = away.own.sum(axis=-1)
    whole = float(own.sum())
    return float((own * Effect.of(away).phi).sum()) / whole if whole > 0 else 1.0
