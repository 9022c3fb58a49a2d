"""How trials of a period were drawn: from what visits, and if shares stood still."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from croupier.core.arms.panels import FloatArray
from croupier.core.estimate.cells import Cells

_ROUNDING = 1e-6


class Draws(NamedTuple):
    """Of each period, from how many `visits` arms were drawn, and whether no propensity moved."""

    visits: FloatArray
    still: NDArray[np.bool_]

    @classmethod
    def of(cls, arms: Cells) -> Self:
        """From all arms that were drawn beside one another, shape (…, T, K) → (…, T).

        An arm whose trials all had one propensity need not have kept it: one that was shown while
        it led, at 0.98, and not at all once it had 0.01, looks as if it had had 0.98 all along.
        Beside it another has led, and their propensities n/Σw are more than 1 together.

        >>> n, p = np.array([[98.0, 1.0], [50.0, 97.0]]), np.array([[0.98, 0.02], [0.98, 0.98]])
        >>> cells = Cells(n, n, n, n / p, n / p**2, n / p, n / p**2, n / p**2)
        >>> found = Draws.of(cells)
        >>> found.visits.tolist(), found.still.tolist()
        ([99.0, 147.0], [True, False])
        """
        shares = (arms.n / np.where(arms.n > 0, arms.w, 1.0)).sum(axis=-1)
        steady = arms.steady().all(axis=-1)
        return cls(arms.n.sum(axis=-1), np.asarray(steady & (shares <= 1.0 + _ROUNDING)))

    @classmethod
    def as_they_came(cls, cells: Cells) -> Self:
        """Of trials that were not drawn from arms, shape (…, T): the holdout, or all together."""
        return cls(cells.n, np.ones(cells.n.shape, dtype=np.bool_))

    @classmethod
    def between(cls, arm: Cells, other: Cells) -> Self:
        """Of two arms that were drawn beside no others, shape (…, T); one may have fewer axes."""
        pairs = (np.broadcast_arrays(*each) for each in zip(arm, other, strict=True))
        return cls.of(Cells(*(np.stack(each, axis=-1) for each in pairs)))
