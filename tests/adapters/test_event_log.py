"""The contract of EventLog, over every technology."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from croupier.core import codec
from croupier.core.records import Tick
from croupier.ports import EVENTS, FUNNELS, TOPICS, Entry, EventLog, Positions, entries_between
from tests.adapters.backends import LOG, START, Opened

Reopen = Callable[[int], Opened]
PORT = LOG
ours = pytest.mark.only(ours=True)
"""Of a clock that a test can set; Kafka's own promise is in test_kafka.py."""

TICK = codec.encode(Tick())


def record(number: int) -> bytes:
    return codec.encode(Tick(extra={"number": number}))


def numbers(entries: list[Entry]) -> list[int]:
    return [one.extra["number"] for one in codec.decode_all(entry.payload for entry in entries)]


def fill(opened: Opened, count: int = 10, step: int = 100) -> list[int]:
    """As many entries, one a step of time; their stamps."""
    stamps = []
    for number in range(count):
        opened.clock.wall = max(opened.clock.wall, START) + step
        stamps.append(opened.log.append(EVENTS, [record(number)]).result(10))
    return stamps


def everything(log: EventLog, limit: int = 3) -> list[Entry]:
    """The topic read as a reader does: entry by entry, from position to position."""
    positions: Positions = dict.fromkeys(log.ends(EVENTS), 0)
    found: list[Entry] = []
    while entries := log.read(EVENTS, positions, limit):
        assert len(entries) <= limit
        found += entries
        positions = positions | {entry.partition: entry.offset + 1 for entry in entries}
    assert all(positions.get(part, 0) == end for part, end in log.ends(EVENTS).items() if found)
    return found


def test_what_is_appended_is_read_in_order(opened: Opened) -> None:
    stamps = fill(opened)
    found = everything(opened.log)
    assert numbers(found) == list(range(10))
    assert [entry.stamp for entry in found] == stamps
    assert all(one.offset < other.offset for one, other in pairwise(found))
    assert {entry.partition for entry in found} <= opened.log.ends(EVENTS).keys()


def test_records_appended_together_are_one_entry(opened: Opened) -> None:
    opened.log.append(EVENTS, [record(1), record(2), record(3)]).result(10)
    opened.log.append(EVENTS, [record(4)]).result(10)
    first, second = opened.log.read(EVENTS, {}, 10)
    assert (numbers([first]), numbers([second])) == ([1, 2, 3], [4])


def test_an_append_of_nothing_is_read_as_nothing(opened: Opened) -> None:
    opened.log.append(EVENTS, []).result(10)
    assert numbers(opened.log.read(EVENTS, {}, 10)) == []


def test_an_empty_topic_is_empty(opened: Opened) -> None:
    for topic in TOPICS:
        assert opened.log.read(topic, {}, 10) == []
        assert opened.log.read(topic, opened.log.ends(topic), 10) == []
        assert opened.log.trim(topic, START) == 0
        assert opened.log.since(topic, 0) == opened.log.ends(topic)


def test_topics_do_not_mix(opened: Opened) -> None:
    opened.log.append(FUNNELS, [record(7)]).result(10)
    assert opened.log.read(EVENTS, {}, 10) == []
    assert numbers(opened.log.read(FUNNELS, {}, 10)) == [7]


def test_a_topic_that_does_not_exist_is_refused(opened: Opened) -> None:
    with pytest.raises(KeyError):
        opened.log.read("rumours", {}, 1)
    with pytest.raises(KeyError):
        opened.log.append("rumours", [TICK])


def test_a_reader_at_the_end_sees_only_what_comes(opened: Opened) -> None:
    fill(opened, 3)
    ends = opened.log.ends(EVENTS)
    assert opened.log.read(EVENTS, ends, 10) == []
    opened.log.append(EVENTS, [record(99)]).result(10)
    assert numbers(opened.log.read(EVENTS, ends, 10)) == [99]


@ours
def test_stamps_never_go_back(opened: Opened) -> None:
    for wall in (START, START + 50, START - 10_000, START - 20_000, START + 20):
        opened.clock.wall = wall
        opened.log.append(EVENTS, [TICK]).result(10)
    stamps = [entry.stamp for entry in everything(opened.log)]
    assert stamps == sorted(stamps)
    assert stamps[1] == START + 50


def test_since_finds_the_first_entry_at_or_after_a_stamp(opened: Opened) -> None:
    stamps = fill(opened, 6)
    for wanted in range(stamps[0] - 50, stamps[-1] + 1, 50):
        found = opened.log.read(EVENTS, opened.log.since(EVENTS, wanted), 100)
        assert [entry.stamp for entry in found] == [stamp for stamp in stamps if stamp >= wanted]
    assert opened.log.since(EVENTS, stamps[-1] + 1) == opened.log.ends(EVENTS)


def test_since_finds_the_first_of_equal_stamps(opened: Opened) -> None:
    for number in range(4):
        opened.log.append(EVENTS, [record(number)]).result(10)
    first, *_ = opened.log.read(EVENTS, {}, 10)
    found = opened.log.read(EVENTS, opened.log.since(EVENTS, first.stamp), 10)
    assert numbers(found) == [0, 1, 2, 3]


@pytest.mark.only(keeps=False)
def test_trimming_drops_what_is_older_and_moves_no_position(opened: Opened) -> None:
    stamps = fill(opened, 6)
    before = {entry.offset: entry for entry in everything(opened.log)}
    ends = opened.log.ends(EVENTS)
    assert opened.log.trim(EVENTS, stamps[2]) == 2
    assert opened.log.trim(EVENTS, stamps[2]) == 0
    left = opened.log.read(EVENTS, {}, 10)
    assert numbers(left) == [2, 3, 4, 5]
    assert all(before[entry.offset] == entry for entry in left)
    assert opened.log.ends(EVENTS) == ends
    assert opened.log.since(EVENTS, 0) == {0: left[0].offset}


@pytest.mark.only(keeps=False)
def test_offsets_are_not_given_twice_after_all_was_trimmed(opened: Opened) -> None:
    fill(opened, 3)
    ends = opened.log.ends(EVENTS)
    opened.log.trim(EVENTS, START * 2)
    assert opened.log.ends(EVENTS) == ends
    assert opened.log.since(EVENTS, 0) == ends
    opened.log.append(EVENTS, [record(9)]).result(10)
    assert numbers(opened.log.read(EVENTS, ends, 10)) == [9]


def test_with_one_partition_keys_change_nothing(opened: Opened) -> None:
    keys = [b"a", b"b", b"a"]
    opened.log.append(EVENTS, [record(1), record(2), record(3)], keys).result(10)
    assert [numbers([one]) for one in opened.log.read(EVENTS, {}, 10)] == [[1, 2, 3]]


def test_a_stretch_of_the_log_is_all_of_it(opened: Opened) -> None:
    fill(opened, 7, step=1)
    start, end = {0: 2}, {0: 6}
    before = opened.log.read(EVENTS, {}, 100)
    offsets = [one.offset for one in before]
    assert offsets == list(range(offsets[0], offsets[0] + 7))
    stretch = entries_between(
        opened.log, EVENTS, {0: offsets[0] + start[0]}, {0: offsets[0] + end[0]}
    )
    assert [one for entries in stretch for one in entries] == before[2:6]


# --- what lasts -----------------------------------------------------------------------------------


def test_what_was_acknowledged_is_there_after_reopening(reopen: Reopen) -> None:
    before = fill(reopen(START), 5)
    assert [entry.stamp for entry in everything(reopen(START).log)] == before
    again = reopen(START)
    again.log.append(EVENTS, [record(5)]).result(10)
    assert numbers(everything(again.log)) == [0, 1, 2, 3, 4, 5]


@ours
def test_stamps_do_not_go_back_when_the_wall_was_set_back_meanwhile(reopen: Reopen) -> None:
    newest = fill(reopen(START), 3)[-1]
    behind = reopen(START - 3_600_000)
    assert behind.log.append(EVENTS, [record(3)]).result(10) >= newest
    assert behind.log.append(FUNNELS, [record(4)]).result(10) >= newest
    assert behind.clock.now() >= newest


@ours
def test_stamps_do_not_go_back_for_any_topic(reopen: Reopen) -> None:
    one = reopen(START + 500)
    newest = one.log.append(FUNNELS, [TICK]).result(10)
    assert reopen(START).log.append(EVENTS, [TICK]).result(10) >= newest


def test_offsets_are_not_given_twice_after_all_was_trimmed_and_reopened(reopen: Reopen) -> None:
    one = reopen(START)
    fill(one, 3)
    ends = one.log.ends(EVENTS)
    one.log.trim(EVENTS, START * 2)
    other = reopen(START + 1_000)
    assert other.log.ends(EVENTS) == ends
    other.log.append(EVENTS, [record(9)]).result(10)
    assert numbers(other.log.read(EVENTS, ends, 10)) == [9]
