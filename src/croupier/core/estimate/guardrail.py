"""An outcome that may not get worse: who keeps it, and who broke it."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from croupier.core.arms.panels import FloatArray
from croupier.core.estimate.anytime import difference_sequence, often
from croupier.core.estimate.cells import Cells
from croupier.core.estimate.contrast import ALPHA, Between, Contrast
from croupier.core.estimate.draws import Draws
from croupier.core.estimate.joined import in_part
from croupier.core.estimate.returning import Sides, factors, side
from croupier.core.estimate.spread import spread
from croupier.core.guardrail import Guardrail

Booleans = NDArray[np.bool_]
Kept = Literal["kept", "open", "broken"]


class Judged(NamedTuple):
    """Of each arm against the default: the difference, once and at any time, and what follows."""

    once: Between
    anytime: Between
    broken: Booleans
    kept: Booleans

    def stands(self, place: int) -> Kept:
        """What is known of one arm."""
        return "broken" if self.broken[place] else "kept" if self.kept[place] else "open"


class Against(NamedTuple):
    """Sums of arms, shape (…, T), and of what they are compared with, (T,): so many arms' sums."""

    arms: Cells
    other: Cells
    others: int = 1
    draws: Draws | None = None

    def contrast(self) -> Contrast:
        """That of each period, by Hájek's means; 0 where an arm was there for a part of it only.

        It is no surer than if both scattered about their common mean: an arm that always fails
        beside a default that never does shows no scatter at all within either.
        """
        arms, other, others, draws = self
        found = Contrast.of(arms, other, propensities=True, draws=draws and (draws, draws))
        n1, n0 = np.maximum(arms.n, 1.0), np.maximum(other.n, 1.0)
        scatter = arms.r2 + other.r2 - (arms.r + other.r) ** 2 / (n1 + n0)
        pooled = np.maximum(scatter, 0.0) / (n1 + n0 - 1.0)
        worth1, worth0 = (np.maximum(each.effective(), 1.0) for each in (arms, other))
        together = found.size**2 * (1.0 / worth1 + 1.0 / worth0) * pooled
        noise1 = np.where(found.noise1 + found.noise0 > 0, found.noise1, together)
        alike = np.maximum(found.alike, together)
        still = (draws or Draws.between(arms, other)).still
        whole = ~in_part(arms, other, still, others)
        return Contrast(*(whole * each for each in found._replace(noise1=noise1, alike=alike)))


def judge(
    cells: Cells,
    default: Sequence[int],
    declared: Guardrail,
    shared_by: int,
    groups: Cells | None = None,
    there: FloatArray | None = None,
) -> Judged:
    """Whether arms' second outcome is worse than the default's by more than the margin a trial.

    `cells` are the sums of that outcome, shape (T, K), in order of time; `default` are the places
    of the default's arms; `groups` the same by group of units, (G, K), where these are kept. An arm
    counts only where it was `there`, (T, K), from a period's start to its end. It
    has broken it when every difference that is left in the confidence sequence is worse than the
    margin, and keeps it when none is; so it may be asked at every refresh, and a sound arm is ever
    called broken with probability 5 % at most, over all `shared_by` comparisons (arms and
    guardrails) together, whatever shares and base rate do meanwhile. The side that has more of the
    outcome must have had it `often`: before, sums are not as good as normal.
    Nor is the sequence ever surer than if the outcomes of both scattered about their common mean.

    >>> n, refunds = np.array([[1500.0, 1500.0]]), np.array([[30.0, 90.0]])  # 2 % and 6 %
    >>> cells = Cells(n, refunds, refunds, 2 * n, 4 * n, 2 * refunds, *[4 * refunds] * 2)
    >>> from croupier.core.reward import Reward, Term
    >>> one = Guardrail(Reward({"refund": Term(1.0)}), margin=0.01)
    >>> found = judge(cells, [0], one, 1)
    >>> found.stands(1), round(float(found.anytime.low[1]), 3), round(float(found.anytime.high[1]), 3)
    ('broken', 0.015, 0.065)

    Source: Johari, Pekelis & Walsh 2015, Always Valid Inference (arXiv 1512.04922), for the rule;
    `anytime` for the sequence.
    """  # noqa: E501
    draws = Draws.of(cells)
    if there is not None:
        whole = there.copy()
        whole[:, default] = there[:, default].min(axis=-1, keepdims=True)
        cells = Cells(*(whole * each for each in cells))
    factor = spread(cells).factor
    other = cells.arms(default).together()
    sides = (groups.turned(), side(groups, default)) if groups is not None else None
    pair = Against(cells.turned(), other, max(len(default), 1), draws)
    return compare(pair, declared, shared_by, factor, sides)


def compare(
    pair: Against,
    declared: Guardrail,
    shared_by: int,
    factor: float = 1.0,
    groups: Sides | None = None,
) -> Judged:
    """The same of arms against others, with variances widened by a factor.

    With `groups` of units also by as much as these scatter.
    """
    total = pair.contrast().total()
    wider, widest = factors(total, groups, factor)
    once = total.difference(ALPHA, wider)
    anytime = difference_sequence(total, ALPHA / max(shared_by, 1), widest)
    return _judged(once, anytime, declared, *_enough(pair, declared))


def _judged(
    once: Between, anytime: Between, declared: Guardrail, enough: Booleans, either: Booleans
) -> Judged:
    least, most = anytime.low, anytime.high
    if declared.worse == "less":
        least, most = -most, -least
    broken = np.asarray(least > declared.margin)
    kept = np.asarray(most <= declared.margin)
    return Judged(once, anytime, broken & enough, kept & either)


def _enough(pair: Against, declared: Guardrail) -> tuple[Booleans, Booleans]:
    """Whether an outcome came often enough to call it broken, and to call it kept.

    Broken: on the side that has more of it. Where it may be below 0, so that both may have much of
    it and none on average, that is the side whose squares are larger a trial.
    """
    bounds = declared.reward.bounds
    sums = [[part.sum(axis=-1) for part in (each.n, each.r, each.r2)] for each in pair[:2]]
    arms, other = (often(r, r2, bounds) for _, r, r2 in sums)
    arms_more = np.asarray(declared.worse == "more")
    if bounds[0] < 0:
        (n1, _, r1), (n0, _, r0) = sums
        arms_more = r1 * n0 >= r0 * n1
    return np.where(arms_more, arms, other), np.asarray(arms | other)
