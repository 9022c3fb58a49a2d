"""Intervals that may be looked at after every period, and acted on."""

import numpy as np
from numpy.typing import NDArray

from croupier.core.arms.panels import FloatArray
from croupier.core.estimate.cells import Cells
from croupier.core.estimate.contrast import ALPHA, Between, Contrast
from croupier.core.estimate.doubted import CERTAIN, Doubted

LEAST_SUCCESSES = 25.0
"""Effective successes that each arm needs before it is judged: before, sums of rewards are not yet
as good as normal."""

Bounds = tuple[float, float]
"""The least and the largest that an outcome of one trial can be."""

POSITIVE: Bounds = (0.0, np.inf)

PLANNED = 5_000.0
"""The size of a contrast at which its sequence is narrowest: that of 10,000 trials a side."""

_HALVINGS = 60


def often(r: FloatArray, r2: FloatArray, bounds: Bounds = POSITIVE) -> NDArray[np.bool_]:
    """Whether outcomes came often enough for their sums, Σr and Σr², to be judged.

    (Σr)²/Σr² ≥ 25 where none is below 0. Where some may be they cancel out in Σr, and it is asked
    that Σr² ≥ 25·max r²: 25 of the largest that can be, or so many smaller ones that a few such,
    not seen yet, would add little to the variance.

    >>> even, square = np.array([0.0, 0.0]), np.array([2_400.0, 2_500.0])
    >>> often(even, square).tolist(), often(even, square, (-10.0, 1.0)).tolist()
    ([False, False], [False, True])
    """
    least, most = bounds
    enough = r**2 >= LEAST_SUCCESSES * r2
    if least < 0:
        enough = r2 >= LEAST_SUCCESSES * max(least**2, most**2)
    return np.asarray((r2 > 0) & enough)


def ripe(arm: Cells, other: Cells, bounds: Bounds = POSITIVE) -> NDArray[np.bool_]:
    """Whether both arms have earned often enough to be judged, shape (…, T) → (…).

    >>> few = Cells(*np.full((8, 1), 24.0))
    >>> bool(ripe(few, few))
    False
    """
    one, two = (often(each.r.sum(axis=-1), each.r2.sum(axis=-1), bounds) for each in (arm, other))
    return np.asarray(one & two)


def boundary(variance: FloatArray, planned: FloatArray | float, alpha: float) -> FloatArray:
    """How far from 0 a sum of errors of so much variance may ever be, with probability 1 − α.

    u = √((V + 1/ρ²) ln((V ρ² + 1)/α²)), ρ² = (−2 ln α + ln(−2 ln α) + 1)/V*, narrowest at V*, the
    `planned` variance.

    >>> [round(float(boundary(np.array(v), 100.0, 0.05)) / v**0.5, 2) for v in (25.0, 100.0, 400.0)]
    [3.23, 3.04, 3.14]

    Source: Robbins 1970, Statistical methods related to the law of the iterated logarithm; Howard,
    Ramdas, McAuliffe & Sekhon 2021 (arXiv 1810.08240), proposition 5.
    """
    doubt = -2.0 * np.log(alpha)
    inverse = planned / (doubt + np.log(doubt) + 1.0)  # 1/ρ²
    inverse = np.where(inverse > 0, inverse, 1.0)
    return np.asarray(np.sqrt((variance + inverse) * (np.log1p(variance / inverse) + doubt)))


def ratio_sequence(
    contrast: Contrast,
    alpha: float = ALPHA,
    dispersion: FloatArray | float = 1.0,
    doubted: Doubted = CERTAIN,
) -> Between:
    """The ratios θ that have not been ruled out: |Σ gained − θ Σ base| ≤ u(V(θ)).

    V(θ) = φ max(Σ noise₁ + θ² Σ noise₀, θ Σ alike): each arm's own variance, or that of both
    together as in Greenland and Robins' estimator, if larger. For a rare arm that was unlucky seems
    to scatter less than it does, and looking often would find just that moment. With probability
    1 − α the true ratio is in the interval at all looks together, in the sense of asymptotic
    confidence sequences: each period adds an error of mean 0 given the past, whatever the shares
    then were, and its variance is estimated. Where weights of the reward are `doubted`, half of α
    is for them, and u is larger by as far as they may be out.

    >>> two = Contrast(*map(np.array, (75.0, 60.0, 72.0, 57.0, 129.0, 1500.0)))
    >>> [round(float(x), 3) for x in ratio_sequence(two)]
    [1.25, 0.718, 2.255]

    Source: Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2024, Time-uniform central limit theory
    and asymptotic confidence sequences (arXiv 2103.06476), theorem 2.5 (martingales).
    """
    known = (contrast.gained > 0) & (contrast.base > 0)
    # rewards that were all alike leave everything open
    seen = known & (contrast.noise1 + contrast.noise0 + contrast.alike > 0)
    value = np.where(known, contrast.gained, 1.0) / np.where(known, contrast.base, 1.0)

    def outside(theta: FloatArray) -> FloatArray:
        own = contrast.noise1 + theta**2 * contrast.noise0
        noise = dispersion * np.maximum(own, theta * contrast.alike)
        away = np.abs(contrast.gained - theta * contrast.base)
        far = boundary(noise, _planned(contrast, noise), doubted.share(alpha))
        return np.asarray(away > far + doubted.reach(alpha, theta))

    ends = []
    for step in (-1.0, 1.0):  # in the logarithm, to a factor of e^±16 at most
        near, far = np.zeros_like(value), np.full_like(value, 16.0 * step)
        for _ in range(_HALVINGS):
            middle = (near + far) / 2.0
            out = outside(value * np.exp(middle))
            near, far = np.where(out, near, middle), np.where(out, middle, far)
        limit = np.inf if step > 0 else 0.0
        found = seen & (np.abs(near) < 15.9)
        ends.append(np.where(found, value * np.exp(near), limit))
    return Between(np.where(known, value, np.nan), *ends)


def difference_sequence(
    contrast: Contrast,
    alpha: float = ALPHA,
    dispersion: FloatArray | float = 1.0,
    doubted: Doubted = CERTAIN,
) -> Between:
    """The same for the difference: δ ± u(V)/Σ size, V = φ max(Σ noise₁ + Σ noise₀, Σ alike).

    >>> two = Contrast(*map(np.array, (75.0, 60.0, 72.0, 57.0, 129.0, 1500.0)))
    >>> [round(float(x), 4) for x in difference_sequence(two)]
    [0.01, -0.014, 0.034]
    """
    known = contrast.size > 0
    size = np.where(known, contrast.size, 1.0)
    value = (contrast.gained - contrast.base) / size
    own = contrast.noise1 + contrast.noise0
    noise = dispersion * np.maximum(own, contrast.alike)
    far = boundary(noise, _planned(contrast, noise), doubted.share(alpha))
    reach = (far + doubted.reach(alpha)) / size
    seen = known & (noise > 0)  # rewards that were all alike leave everything open
    ends = np.where(seen, value - reach, -np.inf), np.where(seen, value + reach, np.inf)
    return Between(np.where(known, value, np.nan), *ends)


def _planned(contrast: Contrast, noise: FloatArray) -> FloatArray:
    size = np.where(contrast.size > 0, contrast.size, 1.0)
    return np.asarray(PLANNED * noise / size)
