"""What arms earn, once good and bad times are taken out."""

from typing import NamedTuple

import numpy as np

from croupier.core.arms.panels import FloatArray

_TINY = 1e-6


class Effects(NamedTuple):
    """r = β_period + μ_arm: what each arm earns over all periods, and how far that is known.

    `mean` is μ, `trials` how many trials of an arm could be compared with another's; (…, K).
    """

    mean: FloatArray
    trials: FloatArray

    @classmethod
    def fit(cls, n: FloatArray, r: FloatArray) -> "Effects":
        """Weighted least squares of trials n and summed rewards r, shape (…, T, K); closed form.

        With N_t = Σ_k n_tk the period effects drop out, and μ solves L μ = q,
        L = diag(Σ_t n_t) − Σ_t n_t n_tᵀ / N_t, q = Σ_t (r_t − n_t Σ_k r_tk / N_t), and
        Σ_k n_k μ_k = Σ r. Arms that were never shown in one period with another keep their own
        mean. trials_k = Σ_t n_tk (1 − n_tk/N_t) / (1 − n_k/N), n_k = Σ_t n_tk, N = Σ_k n_k: all n_k
        where an arm's share never changed, fewer otherwise, and for two arms such that
        1/trials₁ + 1/trials₂ = 1/Σ_t (n_t1 n_t2 / N_t), the variance of their difference.

        Two arms that earn the same, one of them shown most in the better hour:

        >>> n = np.array([[900.0, 100.0], [100.0, 900.0]])
        >>> found = Effects.fit(n, n * np.array([[0.02], [0.10]]))
        >>> found.mean.round(4).tolist(), found.trials.round(1).tolist()
        ([0.06, 0.06], [360.0, 360.0])

        Source: Qin & Russo 2022, Adaptivity and Confounding in Multi-Armed Bandit Experiments
        (arXiv 2202.09036); the elimination of blocks is Yates 1940.
        """
        shown = n.sum(axis=-1, keepdims=True)
        share = np.divide(n, shown, out=np.zeros_like(n), where=shown > 0)
        tried = n.sum(axis=-2)
        whole = tried.sum(axis=-1, keepdims=True)
        # The tiny part of the plain equations sets the level, and serves what nothing else does.
        own = np.where(tried > 0, tried * (1.0 + _TINY), 1.0)
        left = own[..., None] * np.eye(n.shape[-1]) - np.swapaxes(n, -1, -2) @ share
        level = (share * r.sum(axis=-1, keepdims=True)).sum(axis=-2)
        right = r.sum(axis=-2) * (1.0 + _TINY) - level
        compared = (n * (1.0 - share)).sum(axis=-2)
        others = 1.0 - tried / np.maximum(whole, _TINY)
        trials = np.divide(compared, others, out=tried.copy(), where=others > _TINY)
        return cls(np.linalg.solve(left, right[..., None])[..., 0], np.minimum(trials, tried))


def deconfound(columns: FloatArray, low: float, high: float) -> FloatArray:
    """n, Σr and Σr² as if all arms had always been shown side by side, from those by period.

    `columns` hold n, Σr and Σr² of each period and arm, shape (3, T, K). n′ are the trials that
    could be compared, Σr′ = n′ μ within [low, high] a trial, and Σr²′ = n′ (σ² + μ²), σ² the
    variance within periods; shape (3, K). What a posterior makes of these is what it would make of
    the trials of an experiment of that size whose base rate stood still.

    >>> n = np.array([[900.0, 100.0], [100.0, 900.0]])
    >>> r = n * np.array([[0.02], [0.10]])
    >>> deconfound(np.array([n, r, r]), 0.0, 1.0)[1].round(4).tolist()
    [21.6, 21.6]
    """
    n, r, r2 = columns
    effects = Effects.fit(n, r)
    mean = np.clip(effects.mean, low, high)
    scatter = np.where(n > 1, np.maximum(r2 - r * r / np.maximum(n, 1.0), 0.0), 0.0).sum(axis=0)
    degrees = np.maximum(n - 1.0, 0.0).sum(axis=0)
    variance = np.divide(scatter, degrees, out=np.zeros_like(scatter), where=degrees > 0)
    squares = effects.trials * (variance + mean * mean)
    return np.stack([effects.trials, effects.trials * mean, squares])
