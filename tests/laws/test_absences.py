"""Laws of absences: they say of each arm and period what the whole history of the arms says."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as some

from croupier.core.absences import Absences
from croupier.core.arms.panels import FloatArray
from croupier.core.estimate.offers import Offers
from croupier.core.records import Arm, ArmSet, Status


def by_the_history(starts: range, numbers: range, history: list[ArmSet]) -> FloatArray:
    """1 where every version that held meanwhile has an arm active: in periods of 5, set by set."""
    found = np.ones((len(starts), len(numbers)))
    for place, version in enumerate(history):
        began = version.at if place else -np.inf
        ended = history[place + 1].at if place + 1 < len(history) else np.inf
        active = {arm.number for arm in version.arms if arm.status == "active"}
        for line, start in enumerate(starts):
            if start < ended and start + 5 > began:
                found[line, [number not in active for number in numbers]] = 0.0
    return found


statuses = some.lists(some.sampled_from(["active", "paused", "removed"]), min_size=1, max_size=4)


@given(some.lists(some.tuples(some.integers(1, 9), statuses), min_size=1, max_size=6))
def test_absences_say_what_the_history_says(changes: list[tuple[int, list[Status]]]) -> None:
    """Arms are added and never forgotten; a version that comes twice counts once, the first."""
    history: list[ArmSet] = []
    at, known = 0, list[Status]()
    for later, given_statuses in changes:
        at, known = at + later, [*given_statuses, *known[len(given_statuses) :]]
        arms = tuple(Arm(number, f"x{number}", status) for number, status in enumerate(known))
        history.append(ArmSet(experiment="b", version=len(history) + 1, at=at, arms=arms))
    away = Absences()
    for one in [*history, history[0]]:
        away.take(one)
    starts, numbers = range(0, at + 10, 5), range(len(known))
    told = by_the_history(starts, numbers, history)
    found = Offers(away.spells(), 5, at).whole(starts, numbers)
    assert np.array_equal(told, found)
    assert away.born == {
        number: next(0 if place == 0 else one.at for place, one in enumerate(history)
                     if len(one.arms) > number)
        for number in numbers
    }  # fmt: skip
