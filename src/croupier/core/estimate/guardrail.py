"""An outcome that may not get worse: who keeps it, and who broke it."""

from typing import Literal

from croupier.core.estimate.anytime import difference_sequence
from croupier.core.estimate.contrast import ALPHA, Contrast
from croupier.core.estimate.lift import Interval

Kept = Literal["kept", "open", "broken"]


def guardrail(
    contrast: Contrast,
    margin: float,
    worse: Literal["more", "less"],
    comparisons: int = 1,
    dispersion: float = 1.0,
) -> tuple[Kept, Interval]:
    """Whether an arm's second outcome is worse than the default's by more than `margin` a trial.

    `contrast` is of that outcome's sums, arm against default, over all periods. An arm has broken
    it when every difference that is left in the confidence sequence is worse than the margin, and
    keeps it when none is; so it may be asked at every refresh, and a sound arm is ever called
    broken with probability 5 % at most, all arms together.

    >>> import numpy as np
    >>> refunds = Contrast(*map(np.array, (90.0, 30.0, 70.0, 30.0, 100.0, 1500.0)))
    >>> guardrail(refunds, 0.01, "more")[0], guardrail(refunds, 0.1, "more")[0]
    ('broken', 'kept')

    Source: Johari, Pekelis & Walsh 2015, Always Valid Inference (arXiv 1512.04922), for the rule;
    `anytime` for the sequence.
    """
    found = difference_sequence(contrast, ALPHA / max(comparisons, 1), dispersion)
    least, most = float(found.low), float(found.high)
    if worse == "less":
        least, most = -most, -least
    kept: Kept = "broken" if least > margin else "kept" if most <= margin else "open"
    return kept, Interval.of(found)
