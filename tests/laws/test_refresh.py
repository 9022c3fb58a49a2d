"""Laws of refreshing arms from a table: any order, any repetition, never empty, defaults stay."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core.arm_changes import ArmChangeError
from croupier.core.candidates.schedule import next_due
from croupier.core.records import Arm, ArmSet
from croupier.core.refresh import Change, Row, apply, compare, refusal, wanted_arms, wanted_groups
from croupier.core.restarts import Bound

NOW, DEFAULT = 1_000, "plain"
NAMES = st.sampled_from([DEFAULT, "a", "b", "c", "d", "e"])
TIMES = st.none() | st.integers(0, 2 * NOW)
GROUPS = st.none() | st.sampled_from(["", "sport", "news"])
ROWS = st.lists(st.builds(Row, NAMES, st.booleans(), TIMES, TIMES, GROUPS), max_size=12)
HANDS = st.dictionaries(st.integers(0, 3), st.sampled_from(["ana", "candidates", "config"]))


@st.composite
def arm_sets(draw: st.DrawFn) -> ArmSet:
    """The default, active, and up to three more arms in any state."""
    states = draw(st.lists(st.sampled_from(["active", "paused", "removed"]), max_size=3))
    more = [Arm(number, "abc"[number - 1], state) for number, state in enumerate(states, 1)]  # type: ignore[arg-type]
    return ArmSet(experiment="b", version=1, at=0, arms=(Arm(0, DEFAULT), *more))


def refreshed(
    arms: ArmSet, rows: list[Row], hands: Mapping[int, str], *, keep: bool = True
) -> tuple[ArmSet, Change]:
    wanted = wanted_arms(rows, [DEFAULT], NOW)
    change = compare(arms, wanted, (), hands, wanted_groups(rows, {"a": "tv"}, NOW))
    if refusal(arms, wanted, change, most=1.0):
        return arms, Change()
    return apply(arms, change, keep=keep), change


def active(arms: ArmSet) -> set[str]:
    return {arm.name for arm in arms.arms if arm.status == "active"}


@given(arms=arm_sets(), rows=ROWS, hands=HANDS, keep=st.booleans())
def test_a_second_refresh_changes_nothing(
    arms: ArmSet, rows: list[Row], hands: dict[int, str], keep: bool
) -> None:
    once, _ = refreshed(arms, rows, hands, keep=keep)
    assert refreshed(once, rows, hands, keep=keep)[0] == once


@given(arms=arm_sets(), rows=ROWS, hands=HANDS, data=st.data())
def test_order_and_repetition_of_rows_do_not_matter(
    arms: ArmSet, rows: list[Row], hands: dict[int, str], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(rows + rows[:3]))
    assert refreshed(arms, shuffled, hands) == refreshed(arms, rows, hands)


@given(arms=arm_sets(), rows=ROWS, keep=st.booleans())
def test_without_hands_the_active_arms_are_the_wanted_ones(
    arms: ArmSet, rows: list[Row], keep: bool
) -> None:
    after, _ = refreshed(arms, rows, {}, keep=keep)
    listed = {row.arm for row in rows if row.holds(NOW)}
    assert active(after) == (listed | {DEFAULT} if listed else active(arms))


@given(arms=arm_sets(), rows=ROWS, hands=HANDS, keep=st.booleans())
def test_never_empty_the_default_stays_and_numbers_are_for_ever(
    arms: ArmSet, rows: list[Row], hands: dict[int, str], keep: bool
) -> None:
    after, _ = refreshed(arms, rows, hands, keep=keep)
    assert DEFAULT in active(after)
    before = [(arm.number, arm.name) for arm in arms.arms]
    assert [(arm.number, arm.name) for arm in after.arms][: len(before)] == before


@given(arms=arm_sets(), rows=ROWS, hands=HANDS)
def test_what_somebody_set_by_hand_stays(
    arms: ArmSet, rows: list[Row], hands: dict[int, str]
) -> None:
    after, change = refreshed(arms, rows, hands)
    for before, now in zip(arms.arms, after.arms, strict=False):
        if hands.get(before.number) == "ana":
            assert now.status == before.status
    assert not {*change.put, *change.dropped} & {*change.held}


@given(arms=arm_sets(), rows=ROWS, most=st.floats(0, 1))
def test_no_more_than_the_declared_share_vanishes(
    arms: ArmSet, rows: list[Row], most: float
) -> None:
    wanted = wanted_arms(rows, [DEFAULT], NOW)
    change = compare(arms, wanted, (), {})
    if refusal(arms, wanted, change, most) is None:
        assert len(change.dropped) <= most * len(active(arms))


@given(arms=arm_sets(), rows=ROWS, untouched=st.sets(NAMES))
def test_the_arm_of_a_bad_row_stays_as_it_is(
    arms: ArmSet, rows: list[Row], untouched: set[str]
) -> None:
    change = compare(arms, wanted_arms(rows, [DEFAULT], NOW), untouched, {})
    assert not {*change.put, *change.dropped, *change.held} & untouched


def test_a_change_that_would_leave_nothing_is_not_made() -> None:
    one = ArmSet(experiment="b", version=1, at=0, arms=(Arm(0, "x"),))
    with pytest.raises(ArmChangeError, match="no arm would be left"):
        apply(one, Change(dropped=("x",)), keep=True)


@given(last=st.integers(0, 2**41), schedule=st.sampled_from(["1s", "24h", "00:00", "23:59"]))
def test_it_is_due_again_later_and_within_its_period(last: int, schedule: str) -> None:
    assert last < next_due(schedule, last) <= last + 86_400_000


@given(past=st.lists(st.integers(0, 99_999), max_size=30), most=st.integers(0, 9))
def test_restarts_are_bounded_and_wait_no_less_each_time(past: list[int], most: int) -> None:
    bound = Bound(most=most, within=10_000, first=100, longest=1_000)
    kept: list[int] = []
    for at in sorted(past):
        wait = bound.wait(kept, at)
        assert (wait is None) == (bound.recent(kept, at) >= most)
        if wait is not None:
            assert 100 <= wait <= 1_000
            kept.append(at)
