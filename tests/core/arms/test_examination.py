"""Position and cascade: exact where the data are, the pooled rule where there are none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core.arms.examination import attended, examination
from croupier.core.arms.sums import Reading, Sums
from croupier.core.arms.table import ArmTable
from croupier.core.bag import Bag
from croupier.core.experiment import Experiment
from croupier.core.policies.thompson import Thompson
from croupier.core.publish import publish
from croupier.core.records import Arm, ArmSet, Declaration
from croupier.core.reward import MICRO, Reward, Term

RATES = st.lists(st.floats(0.01, 0.5), min_size=1, max_size=5)
SEEN = st.lists(st.floats(0.1, 1.0), min_size=1, max_size=4)


def told(rates: list[float], seen: list[float], trials: float) -> list[Reading]:
    """Exactly what is expected of so many trials of each arm, more in some slots than in others."""
    readings = []
    for slot, looked in enumerate([1.0, *seen]):
        n = [trials * (1 + (arm + slot) % 3) for arm in range(len(rates))]
        r = [each * looked * rate for each, rate in zip(n, rates, strict=True)]
        readings.append(Reading(tuple(n), tuple(r), tuple(r)))
    return readings


@given(rates=RATES, seen=SEEN)
def test_what_is_expected_gives_back_how_often_slots_are_looked_at(
    rates: list[float], seen: list[float]
) -> None:
    readings = told(rates, seen, 1e9)
    found = examination(readings)
    assert found == pytest.approx([1.0, *seen], rel=1e-4)
    whole = attended(readings, found)
    assert np.array(whole.r) / np.array(whole.n) == pytest.approx(rates, rel=1e-4)


@given(rates=RATES, seen=SEEN)
def test_without_data_slots_are_alike(rates: list[float], seen: list[float]) -> None:
    assert examination(told(rates, seen, 0.0)) == pytest.approx(1.0)
    assert examination(told(rates, seen, 0.1)) == pytest.approx(1.0, abs=0.1)


def test_costs_only_tell_nothing_of_attention() -> None:
    costs = Reading((100.0,), (-30.0,), (30.0,))
    assert examination([costs, costs]).tolist() == [1.0, 1.0]


def page(ranking: str, rates: tuple[float, ...], seen: tuple[float, ...]) -> Bag:
    """What is published after 200,000 trials of each arm in each slot, as expected."""
    names = tuple(f"arm-{number}" for number in range(len(rates)))
    spec = Experiment(
        "page",
        names,
        names[: len(seen)],
        Reward({"click": Term(1.0)}),
        slots=len(seen),
        ranking=ranking,  # type: ignore[arg-type]
        policy=Thompson(floor=0.0),
    )
    tables = {slot: ArmTable() for slot in range(len(seen))}
    for slot, looked in enumerate(seen):
        for arm, rate in enumerate(rates):
            wins = round(200_000 * rate * looked)
            tables[slot].add(0, arm, Sums(200_000, wins * MICRO, wins * MICRO * MICRO))
    arms = ArmSet(experiment="page", version=1, at=0, arms=tuple(map(Arm, range(9), names)))
    declaration = Declaration(version=1, reward_version=1, at=0, spec=spec)
    snapshot = publish(declaration, arms, tables, 1, 0, 0)
    if ranking == "position":
        assert snapshot.examination == pytest.approx(np.array(seen) / seen[0], rel=0.01)
    menu = snapshot.menu()
    assert isinstance(menu, Bag)
    return menu


def test_the_best_arm_stands_where_it_is_seen_most() -> None:
    menu = page("position", (0.02, 0.03, 0.04, 0.05), (0.5, 1.0, 0.25))
    by_slot = np.array(menu._by_slot)
    assert by_slot.argmax(axis=0).tolist() == [2, 3, 1]
    assert by_slot.max(axis=0).min() > 0.99


def test_a_cascade_puts_the_best_arm_first() -> None:
    by_slot = np.array(page("cascade", (0.02, 0.03, 0.04, 0.05), (1.0, 1.0, 1.0))._by_slot)
    assert by_slot.argmax(axis=0).tolist() == [3, 2, 1]
