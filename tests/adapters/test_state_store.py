"""The contract of StateStore, over every technology."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from croupier.core import codec
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.duration import DAY
from croupier.core.records import Tick
from croupier.ports import EVENTS, FUNNELS, OBSERVATIONS, Commit, Late, StaleError, Standing
from tests.adapters.backends import START, STATES, Opened

Reopen = Callable[[int], Opened]
PORT = STATES
with_log = pytest.mark.only(shared=True)
without_log = pytest.mark.only(shared=False)
TICK = codec.encode(Tick())
HUGE = Sums(2**70, 2**80 + 1, -(2**90), 3, 2**100, 5, 2**128 + 7, 2**200 + 11)
NOTHING = Standing({}, 0, {}, {}, {})


def key(experiment: str = "b", arm: int = 0, period: int = 0, stratum: str = "policy") -> StateKey:
    return StateKey(experiment, arm, 0, 1, stratum, period)


def late(name: bytes = b"one", experiment: str = "b") -> Late:
    return Late(name * 5, experiment, START, TICK)


FULL = Commit(
    positions={0: 7},
    watermark=START,
    sums={
        key(): HUGE,
        key(arm=1): Sums.of(1_000_000, 0.5),
        key("c"): Sums.of(0, 1.0),
        key(stratum="group.07.policy"): Sums.of(1_000_000, 0.7),
    },
    counts={("b", "observations"): 2, ("c", "holdout"): 1},
    open={"b": 3, "c": 0},
    late=[late(), late(b"two")],
    ids={b"one": START, b"two": START + 1},
)
AGAIN = msgspec.structs.replace(FULL, ids={})
TOLD = msgspec.structs.replace(AGAIN, output={FUNNELS: [TICK, TICK], OBSERVATIONS: [TICK]})


def plain(standing: Standing) -> Any:
    return msgspec.structs.astuple(standing)


def test_at_first_nothing_is_known(opened: Opened) -> None:
    assert plain(opened.states.load()) == plain(NOTHING)
    assert plain(opened.states.load("b")) == plain(NOTHING)


def test_a_commit_is_loaded_as_it_was(opened: Opened) -> None:
    opened.states.commit(FULL)
    standing = opened.states.load()
    assert standing.positions == {0: 7}
    assert standing.watermark == START
    assert standing.sums == FULL.sums
    assert standing.counts == {("b", "observations"): 2, ("c", "holdout"): 1, ("b", "late"): 2}
    assert standing.open == {"b": 3, "c": 0}


def test_a_state_may_be_loaded_for_one_experiment(opened: Opened) -> None:
    opened.states.commit(FULL)
    one = opened.states.load("c")
    assert one.sums == {key("c"): Sums.of(0, 1.0)}
    assert one.counts == {("c", "holdout"): 1}
    assert one.open == {"c": 0}
    assert (one.positions, one.watermark) == ({0: 7}, START)
    assert opened.states.load("nobody").sums == {}


def test_what_was_loaded_does_not_change_with_later_commits(opened: Opened) -> None:
    opened.states.commit(FULL)
    before = opened.states.load()
    copy = msgspec.structs.replace(
        before, sums=dict(before.sums), counts=dict(before.counts), open=dict(before.open)
    )
    opened.states.commit(msgspec.structs.replace(AGAIN, positions={0: 9}, late=[late(b"six")]))
    assert plain(before) == plain(copy)
    before.sums.clear()
    before.positions[0] = 0
    assert opened.states.load().positions == {0: 9}
    assert opened.states.load().sums


def test_sums_and_counts_add_up_exactly(opened: Opened) -> None:
    for _ in range(3):
        opened.states.commit(AGAIN)
    standing = opened.states.load()
    assert standing.sums[key()] == Sums(*(3 * number for number in HUGE))
    assert standing.counts["b", "observations"] == 6


def test_sums_add_the_same_in_any_order(opened: Opened) -> None:
    parts = [Sums.of(10**15 + number, 2.0**-number) for number in range(30)]
    for part in parts:
        opened.states.commit(Commit(positions={}, watermark=0, sums={key(): part}))
    for part in reversed(parts):
        opened.states.commit(Commit(positions={}, watermark=0, sums={key(arm=1): part}))
    sums = opened.states.load().sums
    assert sums[key()] == sums[key(arm=1)] == sum(parts[1:], parts[0])


def test_a_state_that_comes_to_nothing_is_gone(opened: Opened) -> None:
    """Rolling up takes from one period and adds to another."""
    opened.states.commit(FULL)
    minus = Sums(*(-number for number in HUGE))
    opened.states.commit(
        Commit(positions={0: 7}, watermark=START, sums={key(): minus, key(period=5): HUGE})
    )
    assert key() not in opened.states.load().sums
    assert opened.states.load().sums[key(period=5)] == HUGE


def test_keys_that_differ_in_anything_are_different_states(opened: Opened) -> None:
    keys = [
        key(),
        key("c"),
        key(arm=1),
        key()._replace(slot=1),
        key()._replace(reward_version=2),
        key(stratum="holdout"),
        key(period=1),
    ]
    sums = {one: Sums.of(place, 1.0) for place, one in enumerate(keys)}
    opened.states.commit(Commit(positions={}, watermark=0, sums=sums))
    assert opened.states.load().sums == sums


def test_open_stories_replace_what_was_open(opened: Opened) -> None:
    opened.states.commit(Commit(positions={}, watermark=0, open={"b": 3, "c": 1}))
    opened.states.commit(Commit(positions={}, watermark=0, open={"b": 2, "c": 0}))
    assert opened.states.load().open == {"b": 2, "c": 0}


def test_positions_of_other_partitions_stay(opened: Opened) -> None:
    opened.states.commit(Commit(positions={0: 7, 1: 5}, watermark=1))
    opened.states.commit(Commit(positions={1: 6}, watermark=2))
    standing = opened.states.load()
    assert (standing.positions, standing.watermark) == ({0: 7, 1: 6}, 2)


def test_a_late_record_is_set_aside_once(opened: Opened) -> None:
    """However often it is sent: within one commit, and over many."""
    for _ in range(3):
        opened.states.commit(
            Commit(positions={}, watermark=0, late=[late(), late(), late(b"two", "c")])
        )
    counts = opened.states.load().counts
    assert counts == {("b", "late"): 1, ("c", "late"): 1}


@with_log
def test_output_is_on_the_log_with_the_commit(opened: Opened) -> None:
    opened.states.commit(TOLD)
    opened.states.commit(TOLD)
    funnels = opened.log.read(FUNNELS, {}, 10)
    assert [len(codec.decode_many(entry.payload)) for entry in funnels] == [2, 2]
    assert len(opened.log.read(OBSERVATIONS, {}, 10)) == 2
    assert opened.log.read(EVENTS, {}, 10) == []


@without_log
def test_output_is_refused_where_there_is_no_log(opened: Opened) -> None:
    with pytest.raises(ValueError, match="holds no log"):
        opened.states.commit(TOLD)
    assert plain(opened.states.load()) == plain(NOTHING)


@with_log
def test_a_commit_whose_output_fails_changes_nothing(opened: Opened) -> None:
    opened.states.commit(TOLD)
    before, ends = plain(opened.states.load()), opened.log.ends(FUNNELS)
    broken = {FUNNELS: [TICK], "rumours": [TICK]}
    with pytest.raises(Exception):  # noqa: B017 - any refusal will do, if it is whole
        opened.states.commit(msgspec.structs.replace(TOLD, output=broken, positions={0: 99}))
    assert plain(opened.states.load()) == before
    assert opened.log.ends(FUNNELS) == ends
    assert len(opened.log.read(FUNNELS, {}, 10)) == 1


BROKEN: dict[str, Any] = {
    "sums": {key(): Sums.of(1, 1.0), key(arm=9): None},
    "late": [late(b"six"), "not late"],
}


@pytest.mark.parametrize("part", BROKEN)
def test_a_commit_that_fails_changes_nothing(opened: Opened, part: str) -> None:
    opened.states.commit(FULL)
    before = plain(opened.states.load())
    fields = msgspec.structs.asdict(AGAIN) | {"positions": {0: 99}, "watermark": 99}
    fields |= {"ids": {b"three": START}}
    with pytest.raises(Exception):  # noqa: B017 - any refusal will do, if it is whole
        opened.states.commit(Commit(**(fields | {part: BROKEN[part]})))
    assert plain(opened.states.load()) == before
    assert opened.states.known([b"three"]) == set()


@pytest.mark.parametrize("part", BROKEN)
def test_a_commit_after_one_that_failed_is_whole(opened: Opened, part: str) -> None:
    broken = Commit(**(msgspec.structs.asdict(FULL) | {part: BROKEN[part]}))
    with pytest.raises(Exception):  # noqa: B017
        opened.states.commit(broken)
    opened.states.commit(FULL)
    assert opened.states.load().sums == FULL.sums
    assert opened.states.load().counts["b", "late"] == 2


def test_sums_are_left_out_where_nobody_needs_them(opened: Opened) -> None:
    opened.states.commit(FULL)
    whole = opened.states.load()
    strata = sorted({key.stratum for key in whole.sums})
    assert len(strata) > 1
    for wanted in [(), ("no such",), *((one,) for one in strata), strata]:
        for experiment in (None, "b", "no such"):
            some = opened.states.load(experiment, strata=wanted)
            every = opened.states.load(experiment)
            kept = {key: sums for key, sums in every.sums.items() if key.stratum in wanted}
            assert some == msgspec.structs.replace(every, sums=kept)


# --- ids ------------------------------------------------------------------------------------------


def test_ids_are_known_once_they_were_committed(opened: Opened) -> None:
    assert opened.states.known([b"one"]) == set()
    opened.states.commit(FULL)
    assert opened.states.known([b"one", b"three", b"two"]) == {b"one", b"two"}
    assert opened.states.known([]) == set()
    many = {number.to_bytes(20, "big"): START + number for number in range(3_000)}
    opened.states.commit(Commit(positions={0: 8}, watermark=START, ids=many))
    assert opened.states.known(many) == set(many)


@pytest.mark.parametrize("at", [START, START + 400 * DAY, -1])
def test_a_commit_of_an_id_that_is_known_is_refused_and_changes_nothing(
    opened: Opened, at: int
) -> None:
    """Whoever else learns from this data has added it; also under another time."""
    opened.states.commit(FULL)
    before = plain(opened.states.load())
    with pytest.raises(StaleError, match="added already"):
        opened.states.commit(msgspec.structs.replace(FULL, ids={b"new": START, b"two": at}))
    assert plain(opened.states.load()) == before
    assert opened.states.known([b"new"]) == set()


def test_ids_are_forgotten_by_data_time(opened: Opened) -> None:
    """Some of what is older may stay: a store drops whole spans."""
    ages = {b"old": START - 90 * DAY, b"older": START - 900 * DAY, b"new": START, b"first": -DAY}
    opened.states.commit(Commit(positions={}, watermark=START, ids=ages))
    assert opened.states.trim_ids(START - 30 * DAY) == 3
    assert opened.states.known(ages) == {b"new"}
    assert opened.states.trim_ids(START - 30 * DAY) == 0
    opened.states.commit(Commit(positions={}, watermark=START, ids={b"old": START - 90 * DAY}))
    assert opened.states.known(ages) == {b"new", b"old"}


# --- what lasts -----------------------------------------------------------------------------------


def test_a_commit_is_there_after_reopening(reopen: Reopen) -> None:
    one = reopen(START)
    one.states.commit(FULL)
    before = plain(one.states.load())
    other = reopen(START)
    assert plain(other.states.load()) == before
    assert other.states.known([b"one", b"three"]) == {b"one"}
    other.states.commit(AGAIN)
    assert other.states.load().sums[key()] == HUGE + HUGE
    assert other.states.load().counts["b", "late"] == 2


# --- another writer -------------------------------------------------------------------------------


def test_a_commit_from_where_the_store_stands_is_taken_and_its_repetition_has_no_effect(
    opened: Opened,
) -> None:
    """The answer to a commit may be lost: it is sent again, and must not count again."""
    first = msgspec.structs.replace(FULL, since={})
    opened.states.commit(first)
    once = plain(opened.states.load())
    opened.states.commit(first)
    assert plain(opened.states.load()) == once
    opened.states.commit(Commit(positions={0: 9}, watermark=START + 1, since={0: 7}))
    assert opened.states.load().positions == {0: 9}


def test_a_commit_from_elsewhere_is_refused_and_changes_nothing(opened: Opened) -> None:
    """Two processes that learn from one log: the slower must not add what was added."""
    opened.states.commit(FULL)
    before = plain(opened.states.load())
    with pytest.raises(StaleError, match="another process learns from this data"):
        opened.states.commit(msgspec.structs.replace(FULL, since={0: 5}, positions={0: 8}))
    assert plain(opened.states.load()) == before


def test_what_was_set_aside_may_be_forgotten_but_its_count_stays(opened: Opened) -> None:
    opened.states.commit(FULL)
    assert opened.states.trim_late(START) == 0
    assert opened.states.trim_late(START + 1) == 2
    assert opened.states.load().counts["b", "late"] == 2


def test_a_commit_is_held_against_its_own_partitions_only(opened: Opened) -> None:
    """Processes that share the partitions of a topic do not stand in each other's way."""
    opened.states.commit(Commit(positions={0: 7}, watermark=1, since={}))
    opened.states.commit(Commit(positions={1: 5}, watermark=1, since={}))
    opened.states.commit(Commit(positions={0: 9}, watermark=2, since={0: 7}))
    assert opened.states.load().positions == {0: 9, 1: 5}
    with pytest.raises(StaleError):
        opened.states.commit(Commit(positions={1: 8}, watermark=2, since={1: 6}))
