"""The stage: when exactly a story closes, and what it forgets."""

from collections.abc import Iterable

import pytest

from croupier.core.fold import GRAIN, Stage

Word = tuple[str, int]
"""A story's name and its deadline, which is all that these records are."""


class Words:
    """A fold of words into their number."""

    def key(self, record: Word) -> Word:
        return record

    def deadline(self, key: Word) -> int:
        return key[1]

    def step(self, state: int | None, record: Word) -> int:
        return (state or 0) + 1

    def close(self, key: Word, state: int) -> Iterable[tuple[str, int]]:
        yield key[0], state


@pytest.mark.parametrize("deadline", [0, 1, GRAIN - 1, GRAIN, 1_000, 10 * GRAIN])
def test_a_story_closes_at_the_first_grain_after_its_deadline(deadline: int) -> None:
    stage, at = Stage(Words()), Stage.closes(deadline)
    assert deadline < at <= deadline + GRAIN
    assert stage.apply(("b", deadline), deadline)
    assert stage.next_close() == at
    assert stage.advance(at - 1) == []
    assert stage.advance(at) == [("b", 1)]


def test_stories_close_in_order_of_their_deadlines() -> None:
    stage = Stage(Words())
    for deadline in (900, 100, 500):
        stage.apply(("b", deadline), 0)
        stage.apply(("b", deadline), 0)
    assert stage.count == {"b": 3}
    assert stage.advance(600 + GRAIN) == [("b", 2), ("b", 2)]
    assert list(stage.open) == [("b", 900)]


def test_a_record_past_its_deadline_is_refused_whether_its_story_is_open_or_not() -> None:
    stage = Stage(Words())
    assert not stage.apply(("b", 500), 501)
    assert stage.apply(("b", 500), 500)
    assert not stage.apply(("b", 500), 501)
    assert stage.advance(1_000) == [("b", 1)]


def test_settling_forgets_without_a_word() -> None:
    stage = Stage(Words())
    for deadline in (100, 900):
        stage.apply(("b", deadline), 0)
    stage.settle(Stage.closes(100))
    assert list(stage.open) == [("b", 900)]
    assert stage.advance(2_000) == [("b", 1)]


def test_time_that_goes_back_closes_nothing_and_loses_nothing() -> None:
    stage = Stage(Words())
    stage.advance(5_000)
    stage.apply(("b", 6_000), 5_000)
    assert stage.advance(10) == []
    assert stage.advance(7_000) == [("b", 1)]


def test_a_cleared_stage_is_a_new_one() -> None:
    stage = Stage(Words())
    stage.apply(("b", 100), 0)
    stage.clear()
    assert (stage.open, +stage.count, stage.next_close()) == ({}, {}, None)
    assert stage.advance(1_000) == []
