"""Sessions: fixed buckets with a phase, and what one session is a trial of."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core.declarations import Declarations
from croupier.core.experiment import Experiment
from croupier.core.records import Decision, Funnel, Observation
from croupier.core.reward import MICRO, Reward, Term
from croupier.core.session import SessionFold, phase, session_at, session_end

UNITS = st.binary(min_size=16, max_size=16)
LENGTHS = st.integers(1, 10**9)
TIMES = st.integers(0, 2**47)
REWARD = Reward({"click": Term(1.0, cap=3), "buy": Term(0.5, of="value", max=10.0)})


@given(UNITS, TIMES, LENGTHS)
def test_a_session_is_as_long_as_declared_and_holds_its_decisions(
    unit: bytes, at: int, length: int
) -> None:
    session = session_at(unit, at, length)
    end = session_end(unit, session, length)
    assert end - length <= at < end
    assert session_at(unit, end - 1, length) == session
    assert session_at(unit, end, length) == session + 1
    assert session_at(unit, max(end - length, 0), length) == session
    assert 0 <= session < 2**64


def test_sessions_of_units_do_not_all_end_together() -> None:
    """1,000 hashed units over 10 tenths of a session: each tenth has 58 to 142 of them.

    Under fairness one tenth is outside with probability 1e-5; the units are fixed.
    """
    tenths = [0] * 10
    for number in range(1_000):
        unit = (number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128).to_bytes(16, "big")
        tenths[phase(unit, 900_000) // 90_000] += 1
    assert min(tenths) >= 58
    assert max(tenths) <= 142


# --- what a session was ---------------------------------------------------------------------------


def book(session: int | None = 1_000) -> Declarations:
    declarations = Declarations()
    spec = Experiment("b", ("x", "y"), "x", REWARD, session=session)
    for record in declarations.changes(spec, 0):
        declarations.apply(record)
    return declarations


def funnel(
    number: int,
    shown: tuple[int, ...],
    slate: tuple[int, ...] = (0,),
    outcomes: tuple[dict[str, tuple[int, int]], ...] | None = None,
    **fields: Any,
) -> Funnel:
    decision = Decision(
        tracking_id=(500).to_bytes(6, "big") + number.to_bytes(9, "big"),
        experiment="b",
        unit=bytes(16),
        session=0,
        declaration=1,
        snapshot=1,
        slate=slate,
        propensities=(0.5, 0.25)[: len(slate)],
        **fields,
    )
    return Funnel(decision=decision, shown=shown, outcomes=outcomes or tuple({} for _ in slate))


def closed(*funnels: Funnel) -> list[Observation]:
    fold = SessionFold(book())
    state = None
    for one in funnels:
        state = fold.step(state, one)
    assert state is not None
    return list(fold.close(fold.key(funnels[0]), state))


def test_the_earliest_impression_is_the_randomisation_not_the_earliest_decision() -> None:
    (one,) = closed(funnel(1, (700,), (0,)), funnel(2, (600,), (1,)))
    assert (one.arm, one.at, one.repeats) == (1, 600, 1)


def test_equal_impressions_are_told_apart_by_tracking_id() -> None:
    for order in ((1, 2), (2, 1)):
        (one,) = closed(*(funnel(number, (600,), (number - 1,)) for number in order))
        assert one.arm == 0


def test_an_arm_that_nobody_saw_is_no_trial() -> None:
    (one,) = closed(funnel(1, (0, 600), (0, 1)))
    assert (one.arm, one.slot, one.propensity) == (1, 1, 0.25)


def test_only_the_first_observation_carries_the_repeats() -> None:
    first, second = closed(funnel(1, (600, 601), (0, 1)), funnel(2, (700,)), funnel(3, (800,)))
    assert (first.repeats, second.repeats) == (2, 0)
    assert (first.at, second.at) == (600, 601)
    assert first.id != second.id


def test_later_decisions_add_their_outcomes_to_the_arms_of_the_first_only() -> None:
    (one,) = closed(
        funnel(1, (600,), (0,), ({"click": (1, 0)},)),
        funnel(2, (700, 701), (1, 0), ({"click": (1, 0)}, {"click": (1, 0), "buy": (1, MICRO)})),
        funnel(3, (800,), (1,), ({"buy": (1, 9 * MICRO)},)),
    )
    assert one.reward == 2 * MICRO + MICRO // 2


def test_caps_are_those_of_the_session_not_of_each_decision() -> None:
    clicks = [funnel(number, (600 + number,), (0,), ({"click": (2, 0)},)) for number in range(4)]
    (one,) = closed(*clicks)
    assert one.reward == 3 * MICRO


def test_the_reason_is_the_randomisations() -> None:
    (one,) = closed(funnel(1, (600,), reason="holdout"), funnel(2, (700,), reason="policy"))
    assert one.reason == "holdout"


def test_an_observation_has_the_same_name_whenever_it_is_made() -> None:
    (one,) = closed(funnel(1, (600,)))
    (other,) = closed(funnel(2, (700,)), funnel(1, (600,)))
    assert one.id == other.id
    assert len(one.id) == 16


@pytest.mark.parametrize("session", [None, 1_000])
def test_a_session_ends_after_every_funnel_that_it_can_have(session: int | None) -> None:
    fold, one = SessionFold(book(session)), funnel(1, (600,))
    spec = book(session).latest("b").spec
    end = 500 if session is None else 1_000
    assert fold.deadline(fold.key(one)) == end + spec.horizon


def test_a_declaration_that_is_missing_is_not_guessed() -> None:
    with pytest.raises(LookupError, match="the log is not whole"):
        SessionFold(Declarations()).key(funnel(1, (600,)))
