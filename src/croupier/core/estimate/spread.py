"""How far arms scatter over periods, also where propensities moved within them."""

import numpy as np

from croupier.core.arms.dispersion import Dispersion, dispersion
from croupier.core.arms.panels import FloatArray
from croupier.core.estimate.cells import Cells


def spread(cells: Cells) -> Dispersion:
    """Pearson's φ of cells of shape (T, K), each as so many equal trials as say as much.

    >>> n = np.full((4, 2), 100.0)
    >>> r = np.array([[10.0, 10.0], [30.0, 10.0], [10.0, 30.0], [20.0, 20.0]])
    >>> round(spread(Cells(n, r, r, *[2.0 * n] * 2, *[2.0 * r] * 3)).phi, 1)
    9.6
    """
    return dispersion(*(each.T for each in equal_trials(cells.turned())))


def equal_trials(cells: Cells) -> tuple[FloatArray, FloatArray, FloatArray]:
    """n, Σr and Σr² of so many equal trials as would say as much of each arm, shape (…, T).

    Where the propensities stood still these are its own; elsewhere n is `effective`, Σr/n the
    `mean` and (Σr² − (Σr)²/n)/(n − 1) the `variance`. The plain sums of a period in which shares
    and base rate moved would scatter without end: which arm was shown in its good part.

    >>> two = Cells(*[np.array([each]) for each in (2.0, 1.0, 1.0, 12.0, 104.0, 2.0, 4.0, 4.0)])
    >>> [each.round(2).tolist() for each in equal_trials(two)]
    [[1.38], [0.23], [0.23]]
    """
    still, n, mean = cells.steady(), cells.effective(), cells.mean()
    squares = np.maximum(n - 1.0, 0.0) * cells.variance() + n * mean**2
    own, moved = (cells.n, cells.r, cells.r2), (n, n * mean, squares)
    first, second, third = (np.where(still, *each) for each in zip(own, moved, strict=True))
    return first, second, third
