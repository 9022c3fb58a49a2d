"""The sample-ratio check of an experiment: of the periods that offered an arm."""

import math

from croupier.core.absences import Away
from croupier.core.estimate.balance import Balance, balance
from croupier.core.estimate.cells import Cells
from croupier.core.estimate.panel import Panel


def checked(panel: Panel) -> Balance | None:
    """The check by period; None where a trial need not be a decision."""
    if panel.slots > 1 or not panel.periods:
        return None
    out = [Away(arm, since, math.inf) for arm, since in panel.barred.items()]
    out += [Away(*each) for each in panel.known.snapshot.freed] if panel.known.snapshot else ()
    there = panel.there([start for start, _ in panel.periods], out)
    groups = panel.groups.arms(slice(len(panel.arms))) if panel.grouped else None
    shown = panel.policy.without(panel.imported)
    return balance(shown, there, groups=groups, least=_least(panel, shown))


def _least(panel: Panel, shown: Cells) -> float:
    """No propensity was smaller, as far as the declared floor, sums and snapshot tell."""
    known, seen = panel.known, shown.n > 0
    most = max(
        sum(arm.status == "active" for arm in one.arms) for one in [*known.history, known.arms]
    )
    told = [known.declaration.spec.policy.usable_floor(max(most, 1))]
    told += known.snapshot.weights if known.snapshot else ()
    return float(min(*told, *(shown.w[seen] / shown.w2[seen]).tolist(), 1.0))
