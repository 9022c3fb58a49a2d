"""Laws of every fold, run by a Stage: any order, repetition and cut give the same answer."""

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from croupier.core.fold import GRAIN, Fold, Stage
from croupier.core.funnel import FunnelFold
from croupier.core.session import SessionFold
from tests.laws.oracle import session_deadline, tell, trial_of
from tests.laws.streams import World, worlds

Entries = list[tuple[int, Any]]
"""A log: stamps and records; a record of None is a tick."""


MANY = settings(max_examples=30)


class Case(NamedTuple):
    """A fold, where its records come from, and what the oracle makes of them."""

    fold: Callable[[World], Fold[Any, Any, Any, Any]]
    records: Callable[[World], Entries]
    told: Callable[[World, Entries], list[Any]]
    comparable: Callable[[Any], Any]


def events(world: World) -> Entries:
    return list(world.log)


def funnels(world: World) -> Entries:
    """Each funnel twice: once when it closes, and once more at its session's very last moment."""
    told = [(deadline, one) for deadline, one in tell(world.log, world.book).funnels]
    again = [(session_deadline(one.decision, world.book), one) for _, one in told]
    first = [
        (min(Stage.closes(at), last), one) for (at, one), (last, _) in zip(told, again, strict=True)
    ]
    return sorted(first + again, key=lambda entry: entry[0])


CASES = {
    "funnel": Case(
        fold=lambda world: FunnelFold(world.book),
        records=events,
        told=lambda world, entries: [one for _, one in tell(entries, world.book).funnels],
        comparable=lambda funnel: funnel,
    ),
    "session": Case(
        fold=lambda world: SessionFold(world.book),
        records=funnels,
        told=lambda world, _: [one for _, one in tell(world.log, world.book).trials],
        comparable=trial_of,
    ),
}

every_fold = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def text(one: Any) -> bytes:
    return msgspec.json.encode(one, order="deterministic")


def bag(closed: list[Any]) -> Counter[bytes]:
    """What was told, as a multiset."""
    return Counter(map(text, closed))


def run(stage: Stage[Any, Any, Any, Any], entries: Entries) -> tuple[list[Any], list[int]]:
    """Apply entry by entry, moving time to each stamp: what closed; where what was late is."""
    closed, late = [], []
    for place, (stamp, record) in enumerate(entries):
        if record is not None and not stage.apply(record, stamp):
            late.append(place)
        closed += stage.advance(stamp)
    return closed, late


def with_ticks(world: World, entries: Entries, ticks: list[int]) -> Entries:
    """The log with ticks in it; the last one is after every deadline."""
    first, last = (entries[0][0], entries[-1][0]) if entries else (0, 0)
    between = [(first + (last - first) * part // 100, None) for part in ticks]
    return [*sorted(entries + between, key=lambda entry: entry[0]), (world.end, None)]


TICKS = st.lists(st.integers(0, 150), max_size=4)


@every_fold
@MANY
@given(world=worlds(), ticks=TICKS)
def test_a_stage_tells_what_brute_force_tells(case: Case, world: World, ticks: list[int]) -> None:
    entries = case.records(world)
    closed, _ = run(Stage(case.fold(world)), with_ticks(world, entries, ticks))
    assert bag([case.comparable(one) for one in closed]) == bag(case.told(world, entries))


@every_fold
@MANY
@given(world=worlds(), shuffled=st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(case: Case, world: World, shuffled: Any) -> None:
    entries = case.records(world)
    plain, mixed = Stage(case.fold(world)), Stage(case.fold(world))
    expected, _ = run(plain, [*entries, (world.end, None)])
    again = entries + shuffled.choices(entries, k=len(entries)) if entries else []
    shuffled.shuffle(again)
    for stamp, record in again:
        mixed.apply(record, stamp)
    assert bag(mixed.advance(world.end)) == bag(expected)


@every_fold
@MANY
@given(world=worlds())
def test_closing_twice_yields_nothing(case: Case, world: World) -> None:
    stage = Stage(case.fold(world))
    run(stage, [*case.records(world), (world.end, None)])
    assert (stage.advance(world.end), stage.advance(world.end + GRAIN)) == ([], [])
    assert not stage.open
    assert not +stage.count
    assert stage.next_close() is None


@every_fold
@MANY
@given(world=worlds(), ticks=TICKS)
def test_a_story_closes_within_one_grain_of_its_deadline(
    case: Case, world: World, ticks: list[int]
) -> None:
    stage, fold = Stage(case.fold(world)), case.fold(world)
    for stamp, record in with_ticks(world, case.records(world), ticks):
        if record is not None:
            stage.apply(record, stamp)
        stage.advance(stamp)
        deadlines = [fold.deadline(key) for key in stage.open]
        assert all(stamp < deadline + GRAIN for deadline in deadlines)
        assert stage.next_close() == min(map(Stage.closes, deadlines), default=None)
        assert sum(stage.count.values()) == len(deadlines)


@every_fold
@MANY
@given(world=worlds(), ticks=TICKS)
def test_a_record_is_late_exactly_when_its_stamp_is_past_its_deadline(
    case: Case, world: World, ticks: list[int]
) -> None:
    fold = case.fold(world)
    entries = with_ticks(world, case.records(world), ticks)
    _, late = run(Stage(fold), entries)
    assert late == [
        place
        for place, (stamp, record) in enumerate(entries)
        if record is not None and stamp > fold.deadline(fold.key(record))
    ]


@every_fold
@MANY
@given(world=worlds(), ticks=TICKS)
def test_recovery_at_every_cut_tells_exactly_the_rest(
    case: Case, world: World, ticks: list[int]
) -> None:
    """A story open at w ends after w − GRAIN, so it begins after w − GRAIN − H: read from there."""
    entries = with_ticks(world, case.records(world), ticks)
    whole, all_late = run(Stage(case.fold(world)), entries)
    for cut in range(len(entries) + 1):
        before, late = run(Stage(case.fold(world)), entries[:cut])
        watermark = entries[cut - 1][0] if cut else 0
        fresh = recovered(case, world, entries[:cut], watermark)
        after, late_after = run(fresh, entries[cut:])
        assert bag(before + after) == bag(whole)
        assert late + [cut + place for place in late_after] == all_late


def recovered(case: Case, world: World, seen: Entries, watermark: int) -> Stage[Any, Any, Any, Any]:
    """A fresh stage that has re-read what a story open at the watermark can have."""
    stage = Stage(case.fold(world))
    since = watermark - world.book.longest_story() - GRAIN
    for stamp, record in seen:
        if record is not None and stamp >= since:
            stage.apply(record, stamp)
            stage.settle(watermark)
    return stage


@every_fold
@MANY
@given(world=worlds(), ticks=TICKS, part=st.integers(0, 100))
def test_a_saved_stage_goes_on_where_it_stood(
    case: Case, world: World, ticks: list[int], part: int
) -> None:
    entries = with_ticks(world, case.records(world), ticks)
    whole, _ = run(Stage(case.fold(world)), entries)
    cut = len(entries) * part // 100
    saved, restored = Stage(case.fold(world)), Stage(case.fold(world))
    before, _ = run(saved, entries[:cut])
    for key, state in saved.open.items():
        restored.restore(key, state)
        restored.restore(key, state)
    assert restored.count == +saved.count
    after, _ = run(restored, entries[cut:])
    assert bag(before + after) == bag(whole)
