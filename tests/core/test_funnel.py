"""Funnels: the edges of the windows, and outcomes with and without ids."""

from itertools import permutations

import msgspec
import pytest

from croupier.core.arms.maturing import BUCKETS
from croupier.core.declarations import Declarations
from croupier.core.experiment import Experiment
from croupier.core.funnel import FunnelFold
from croupier.core.guardrail import Guardrail
from croupier.core.open_trials import count_open
from croupier.core.policies.thompson import Thompson
from croupier.core.records import Decision, Event, Funnel
from croupier.core.reward import MOST_IDS, Reward, Term

AT = 1_000_000
DECISION = Decision(
    tracking_id=AT.to_bytes(6, "big") + bytes(9),
    experiment="b",
    unit=bytes(16),
    session=0,
    declaration=1,
    snapshot=1,
    slate=(0, 1),
    propensities=(0.5, 0.5),
)
SPEC = Experiment(
    "b",
    ("x", "y"),
    "x",
    Reward({"click": Term(1.0, cap=256), "buy": Term(0.01, of="value", max=10.0)}),
    expose_within=100,
    window=1_000,
    lateness=10,
    session=None,
)


def fold() -> FunnelFold:
    book = Declarations()
    for record in book.changes(SPEC, 0):
        book.apply(record)
    return FunnelFold(book)


def impression(after: int, slot: int = -1) -> Event:
    return Event(decision=DECISION, kind="impression", at=AT + after, slot=slot)


def outcome(after: int, kind: str = "click", name: str = "", value: int = 0) -> Event:
    return Event(decision=DECISION, kind=kind, at=AT + after, value=value, id=name)


def closed(*events: Event) -> list[Funnel]:
    one, state = fold(), None
    for event in events:
        state = one.step(state, event)
    assert state is not None
    return list(one.close(one.key(events[0]), state))


def clicks(*events: Event) -> int:
    (funnel,) = closed(*events)
    return funnel.outcomes[0].get("click", (0, 0))[0]


def test_the_deadline_follows_from_the_key_alone() -> None:
    one = fold()
    assert one.deadline(one.key(outcome(5))) == AT + 100 + 1_000 + 10


@pytest.mark.parametrize(("after", "counts"), [(0, True), (100, True), (101, False)])
def test_an_impression_counts_within_its_window(after: int, counts: bool) -> None:
    assert bool(closed(impression(after))) is counts


@pytest.mark.parametrize(("after", "count"), [(0, 1), (1_050, 1), (1_051, 0)])
def test_an_outcome_counts_within_a_window_from_its_impression(after: int, count: int) -> None:
    assert clicks(impression(50), outcome(after)) == count
    assert clicks(outcome(after), impression(50)) == count


def test_the_first_of_many_impressions_counts() -> None:
    for order in permutations([impression(30), impression(20, 0), impression(90)]):
        (funnel,) = closed(*order)
        assert funnel.shown == (AT + 20, AT + 30)


def test_an_impression_too_late_does_not_hide_an_earlier_one() -> None:
    (funnel,) = closed(impression(101), impression(100, 0))
    assert funnel.shown == (AT + 100, 0)


def test_outcomes_without_an_impression_are_no_story() -> None:
    assert closed(outcome(5)) == []


def test_an_outcome_of_a_slot_that_was_not_seen_does_not_count() -> None:
    (funnel,) = closed(impression(5, 1), outcome(6))
    assert funnel.outcomes == ({}, {})


def test_without_an_id_a_kind_counts_once() -> None:
    assert clicks(impression(0), outcome(5), outcome(6), outcome(900)) == 1


def test_with_ids_each_counts_once() -> None:
    names = ("a", "b", "a", "", "c", "b")
    assert clicks(impression(0), *(outcome(5, name=name) for name in names)) == 4


def test_one_id_with_two_values_keeps_the_earlier() -> None:
    for order in permutations(
        [outcome(7, "buy", "a", 5), outcome(6, "buy", "a", 9), outcome(6, "buy", "a", 8)]
    ):
        (funnel,) = closed(impression(0), *order)
        assert funnel.outcomes[0] == {"buy": (1, 8)}


def test_kinds_that_earn_nothing_are_not_kept() -> None:
    (funnel,) = closed(impression(0), outcome(5, "scroll"))
    assert funnel.outcomes == ({}, {})


def test_of_too_many_ids_the_earliest_are_kept_in_any_order() -> None:
    many = [outcome(number % 900, "buy", f"id-{number}", number) for number in range(MOST_IDS + 44)]
    funnels = [closed(impression(0), *order) for order in (many, many[::-1], many * 2)]
    assert funnels[0] == funnels[1] == funnels[2]
    (funnel,) = funnels[0]
    assert funnel.outcomes[0]["buy"] == (MOST_IDS, sum(range(MOST_IDS)))


def test_a_decision_of_an_unknown_declaration_is_not_guessed() -> None:
    one = FunnelFold(Declarations())
    with pytest.raises(LookupError, match="the log is not whole"):
        one.deadline(one.key(impression(0)))


@pytest.mark.parametrize(("kind", "delay"), [("refund", -1), ("click", 40)])
def test_what_only_a_guardrail_measures_has_no_delay(kind: str, delay: int) -> None:
    """Neither when the story is over, nor while it is open."""
    book = Declarations()
    guardrail = {"refund": Guardrail(Reward({"refund": Term(1.0)}), 0.1)}
    policy = Thompson(delay_corrected=True)
    for record in book.changes(
        msgspec.structs.replace(SPEC, guardrail=guardrail, policy=policy), 0
    ):
        book.apply(record)
    one, state = FunnelFold(book), None
    for event in (impression(50), outcome(90, kind)):
        state = one.step(state, event)
    assert state is not None
    key = one.key(impression(50))
    (funnel,) = one.close(key, state)
    assert funnel.outcomes[0] == {kind: (1, 0)}
    assert funnel.delays == (delay, -1)
    (count,) = count_open([(key, state)], book, "b", 0, AT + 560)
    ages = {(arm, age): (trials, came) for arm, _, age, trials, came in count.rows}
    age = 500 * BUCKETS // SPEC.window
    assert ages == {
        (0, age): (1, {} if delay < 0 else {40 * BUCKETS // SPEC.window: 1}),
        (1, age): (1, {}),
    }
