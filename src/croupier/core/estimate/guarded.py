"""What is known of guardrails: every arm's difference, and who is barred."""

import msgspec
import numpy as np

from croupier.core.barred import Barred, kept_out
from croupier.core.estimate.barring import comparisons
from croupier.core.estimate.cells import Cells
from croupier.core.estimate.contrast import Between
from croupier.core.estimate.draws import Draws
from croupier.core.estimate.guardrail import Against, Judged, Kept, compare, judge
from croupier.core.estimate.lift import Interval, number
from croupier.core.estimate.panel import Panel
from croupier.core.estimate.returning import side
from croupier.core.guardrail import Guardrail, Worse


class Guarded(msgspec.Struct, frozen=True):
    """One arm (or all of them together) under a guardrail, a trial, against the default or holdout.

    `mean` is over all trials, whenever they were; the difference is made period by period.
    `difference` has a 95 % interval for one look, `difference_anytime` one that holds at all looks,
    of all arms and guardrails, together; `stands` is what follows from it. `barred` says since when
    and why the arm is not shown.
    """

    arm: str
    n: int
    mean: float | None
    difference: Interval
    difference_anytime: Interval
    stands: Kept
    barred: str | None = None
    barred_since: int | None = None


class GuardrailEstimate(msgspec.Struct, frozen=True):
    """A guardrail: what is allowed, the default's mean, each arm, and all together over holdout."""

    name: str
    margin: float
    worse: Worse
    default: float | None
    arms: list[Guarded]
    holdout: Guarded | None


def guarded(panel: Panel) -> list[GuardrailEstimate]:
    """Every guardrail that is declared, in the order of its declaration."""
    return [_guardrail(panel, *each) for each in panel.known.declaration.spec.guardrails.items()]


def _guardrail(panel: Panel, name: str, declared: Guardrail) -> GuardrailEstimate:
    spec, column, count = panel.known.declaration.spec, declared.column(name), len(panel.arms)
    strata = [
        (f"{stratum}:{column}", arm.number)
        for stratum in ("policy", "holdout")
        for arm in panel.arms
    ]
    both = Cells.by_slot(panel.rows, strata)
    cells, held_out = both.arms(slice(count)), both.arms(slice(count, None)).together()
    groups = Cells.by_group(panel.rows, strata) if panel.grouped else None
    shared = comparisons(count - len(panel.default), len(spec.guardrails))
    arms = groups.arms(slice(count)) if groups else None
    periods = Cells.periods(panel.rows, strata)
    there = panel.there([periods[line][0] for line in Cells.slot_by_slot(periods)])
    judged = judge(cells, panel.default, declared, shared, arms, there)
    snapshot = panel.known.snapshot
    barred = kept_out(snapshot.barred if snapshot else (), panel.known.arms)
    out = {each.arm: each for each in barred if each.guardrail == name}
    lines = [
        _line(arm.name, cells.arm(place), judged, place, out.get(arm.number))
        for place, arm in enumerate(panel.arms)
        if place not in panel.default
    ]
    whole = cells.together()
    sides = (
        (_row(side(groups, range(count))), side(groups, range(count, 2 * count)))
        if groups
        else None
    )
    # As they came: what the policy as a whole did is not told by its arms' propensities.
    all_arms = compare(
        Against(_row(whole.plain()), held_out.plain(), draws=Draws.as_they_came(held_out)),
        declared,
        shared,
        groups=sides,
    )
    over = _line("all arms", whole, all_arms, 0, None)
    mean = _mean(cells.arms(panel.default).together())
    held = over if held_out.n.sum() else None
    return GuardrailEstimate(name, declared.margin, declared.worse, mean, lines, held)


def _line(name: str, cells: Cells, judged: Judged, place: int, barred: Barred | None) -> Guarded:
    return Guarded(
        arm=name,
        n=round(float(cells.n.sum())),
        mean=_mean(cells),
        difference=_at(judged.once, place),
        difference_anytime=_at(judged.anytime, place),
        stands=judged.stands(place),
        barred=barred.reason if barred else None,
        barred_since=barred.since if barred else None,
    )


def _at(found: Between, place: int) -> Interval:
    return Interval(*(number(each[place]) for each in found))


def _row(cells: Cells) -> Cells:
    return Cells(*(each[np.newaxis] for each in cells))


def _mean(cells: Cells) -> float | None:
    trials = float(cells.n.sum())
    return float(cells.r.sum()) / trials if trials else None
