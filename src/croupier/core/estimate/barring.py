"""Which arms broke a guardrail by now, and are kept out of what is published."""

from collections.abc import Iterable, Mapping

import numpy as np

from croupier.core.arms.panels import FloatArray
from croupier.core.arms.table import ArmTable
from croupier.core.barred import Barred, still
from croupier.core.estimate.cells import Cells
from croupier.core.estimate.guardrail import judge
from croupier.core.estimate.offers import Offers
from croupier.core.experiment import Experiment
from croupier.core.records import ArmSet

Tables = Mapping[str, Mapping[int, ArmTable]]
"""What was measured: sums by the name that they are kept under, and by slot."""


def bar(
    spec: Experiment,
    arms: ArmSet,
    tables: Tables,
    at: int,
    before: Iterable[Barred] = (),
    offers: Offers | None = None,
) -> tuple[Barred, ...]:
    """Every arm that is barred at `at`: those `before` that still are, and those found broken now.

    Each guardrail compares every arm but the default's with the default, period by period; the
    error of 5 % is shared between all of these comparisons. `offers` say when arms could be shown.
    """
    default = tuple(arm.number for arm in arms.arms if arm.name in spec.defaults)
    found = {(each.guardrail, each.arm): each for each in still(before, spec.guardrails, default)}
    numbers, names = [arm.number for arm in arms.arms], [arm.name for arm in arms.arms]
    shared = comparisons(len(numbers) - len(default), len(spec.guardrails))
    places = [place for place, number in enumerate(numbers) if number in default]
    for name, declared in spec.guardrails.items():
        column = declared.column(name)
        cells, groups = _cells(tables.get(column, {}), numbers), _groups(tables, column, numbers)
        if not cells.n.size:
            continue
        there = _there(tables[column], numbers, offers)
        judged = judge(cells, places, declared, shared, groups, there)
        for place in np.flatnonzero(judged.broken).tolist():
            number, sequence = numbers[place], judged.anytime
            if number not in default and (name, number) not in found:
                value, low, high = (float(each[place]) for each in sequence)
                found[name, number] = Barred(
                    number, names[place], name, at, value, low, high, column,
                    declared.margin, declared.worse, default,
                )  # fmt: skip
    return tuple(found[place] for place in sorted(found))


def comparisons(arms: int, guardrails: int) -> int:
    """How many comparisons share the error."""
    return max(arms, 1) * max(guardrails, 1)


def _cells(tables: Mapping[int, ArmTable], numbers: list[int]) -> Cells:
    """The periods of all slots one below the other, and all arms beside each other."""
    parts = [tables[slot].all_sums(numbers) for slot in sorted(tables)]
    return Cells.in_units(np.concatenate(parts or [np.zeros((8, 0, len(numbers)))], axis=1))


def _there(
    tables: Mapping[int, ArmTable], numbers: list[int], offers: Offers | None
) -> FloatArray | None:
    """In which of these periods arms could be shown from start to end."""
    if offers is None:
        return None
    return np.concatenate([offers.whole(tables[slot].starts(), numbers) for slot in sorted(tables)])


def _groups(tables: Tables, column: str, numbers: list[int]) -> Cells | None:
    """The same by group of units, in all slots; None where none are kept."""
    read = [table.groups.read(numbers) for table in tables.get(column, {}).values()]
    found = Cells.in_units(np.sum(read, axis=0)) if read else None
    return found if found is not None and found.n.any() else None
