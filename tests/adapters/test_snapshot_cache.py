"""The contract of SnapshotCache, over every technology."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.adapters.memory import MemorySnapshots
from croupier.core.arms.posterior import read_posterior
from croupier.core.arms.sums import Reading
from croupier.core.policies.registry import POLICIES
from croupier.core.policies.thompson import Thompson
from croupier.core.reward import Reward, Term
from croupier.core.snapshot import Snapshot
from croupier.ports import SnapshotCache, Tally
from tests.adapters.backends import CACHE, START, Opened

Reopen = Callable[[int], Opened]
PORT = CACHE
READING = Reading(n=(3.0, 0.0), r=(1.5, 0.0), r2=(1.0, 0.0))
TALLY = Tally("home", [3, 0], [1_500_000, 0])
BINARY = Reward({"click": Term(1.0)})


def snapshot(version: int, experiment: str = "b", at: int = START, **fields: Any) -> Snapshot:
    one = Snapshot(
        experiment=experiment,
        version=version,
        at=at,
        declaration=1,
        reward_version=1,
        watermark=START - 5,
        arms=(0, 3),
        names=("x", "無料"),
        weights=(0.1 + 1e-17, 0.9),
        posterior=read_posterior("auto", READING, BINARY),
        policy=Thompson(),
    )
    return msgspec.structs.replace(one, **fields)


def versions(cache: SnapshotCache, limit: int = 100, experiment: str = "b") -> list[int]:
    return [one.version for one in cache.history(experiment, limit)]


def test_at_first_there_is_none(opened: Opened) -> None:
    assert opened.cache.latest("b") is None
    assert opened.cache.history("b", 5) == []
    assert opened.cache.trim(START * 2) == 0


def test_a_snapshot_comes_back_whole(opened: Opened) -> None:
    one = snapshot(1)
    assert opened.cache.put(one)
    assert opened.cache.latest("b") == one


@pytest.mark.parametrize("kind", ["beta", "normal"])
@pytest.mark.parametrize("policy", POLICIES)
def test_every_posterior_and_policy_comes_back(opened: Opened, kind: str, policy: str) -> None:
    made = POLICIES[policy](half_life=5)
    one = snapshot(1, policy=made, posterior=read_posterior(kind, READING, BINARY))
    opened.cache.put(one)
    assert opened.cache.latest("b") == one


def test_a_snapshot_never_gives_way_to_an_earlier_one(opened: Opened) -> None:
    assert opened.cache.put(snapshot(5))
    assert not opened.cache.put(snapshot(4, at=START + 9))
    assert not opened.cache.put(snapshot(5, at=START + 9))
    assert opened.cache.latest("b") == snapshot(5)
    assert versions(opened.cache) == [5]
    assert opened.cache.put(snapshot(7))
    assert versions(opened.cache) == [5, 7]


def test_history_is_the_newest_few_oldest_first(opened: Opened) -> None:
    for version in range(1, 8):
        opened.cache.put(snapshot(version, at=START + version))
    assert versions(opened.cache, 3) == [5, 6, 7]
    assert versions(opened.cache, 1) == [7]
    assert versions(opened.cache, 0) == []
    assert versions(opened.cache) == [1, 2, 3, 4, 5, 6, 7]


def test_history_is_read_page_by_page_from_the_newest_back(opened: Opened) -> None:
    for version in (1, 2, 4, 5, 7):
        opened.cache.put(snapshot(version, at=START + version))
    pages, before = [], None
    while page := opened.cache.history("b", 2, before):
        pages.append([one.version for one in page])
        before = page[0].version
    assert pages == [[5, 7], [2, 4], [1]]
    assert [one.version for one in opened.cache.history("b", 9, 4)] == [1, 2]


def test_experiments_do_not_mix(opened: Opened) -> None:
    opened.cache.put(snapshot(5, "b"))
    opened.cache.put(snapshot(2, "c"))
    assert (versions(opened.cache), versions(opened.cache, experiment="c")) == ([5], [2])
    assert opened.cache.latest("d") is None


def test_trimming_drops_what_is_older_but_never_the_newest(opened: Opened) -> None:
    for version in range(1, 6):
        opened.cache.put(snapshot(version, at=START + version))
    opened.cache.put(snapshot(1, "c"))
    assert opened.cache.trim(START + 3) == 2
    assert versions(opened.cache) == [3, 4, 5]
    assert opened.cache.trim(START * 2) == 2
    assert (versions(opened.cache), versions(opened.cache, experiment="c")) == ([5], [1])
    assert opened.cache.trim(START * 2) == 0
    assert opened.cache.put(snapshot(6))
    assert not opened.cache.put(snapshot(5))


def test_trimming_keeps_the_newest_also_where_its_clock_was_behind(opened: Opened) -> None:
    opened.cache.put(snapshot(1, at=START + 100))
    opened.cache.put(snapshot(2, at=START))
    opened.cache.trim(START + 50)
    assert versions(opened.cache) == [1, 2]


def test_readers_are_given_what_is_newer_than_what_they_hold(opened: Opened) -> None:
    cache = opened.cache
    assert cache.newer({}) == []
    cache.put(snapshot(3, "b"))
    cache.put(snapshot(7, "c"))
    cache.put(snapshot(4, "b"), TALLY)

    def told(**held: int) -> list[tuple[str, int]]:
        return sorted((one.experiment, one.version) for one in cache.newer(held))

    assert told() == told(b=3, c=6, d=9) == [("b", 4), ("c", 7)]
    assert told(b=4) == [("c", 7)]
    assert told(b=4, c=7) == told(b=9, c=9) == []
    assert cache.newer({"b": 3, "c": 7}) == [snapshot(4, "b")]


def test_a_reader_may_wait_for_what_comes(opened: Opened) -> None:
    """It hears of it without asking again; and when nothing comes, it goes on."""
    cache = opened.cache
    cache.put(snapshot(1))
    assert cache.newer({"b": 1}, wait=0.01) == []
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(cache.newer, {"b": 1}, 30)
        cache.put(snapshot(2))
        assert waiting.result(20) == [snapshot(2)]


def test_history_may_be_asked_for_from_before_a_version(opened: Opened) -> None:
    for version in range(1, 8):
        opened.cache.put(snapshot(version))
    assert [one.version for one in opened.cache.history("b", 2, before=4)] == [2, 3]
    assert opened.cache.history("b", 2, before=1) == []


@given(st.lists(st.tuples(st.sampled_from("bc"), st.integers(1, 9)), max_size=12))
def test_memory_is_a_list_that_only_grows(puts: list[tuple[str, int]]) -> None:
    cache, kept = MemorySnapshots(), dict[str, list[int]](b=[], c=[])
    for experiment, version in puts:
        newer = version > max(kept[experiment], default=0)
        assert cache.put(snapshot(version, experiment)) is newer
        kept[experiment] += [version] * newer
    assert {name: versions(cache, experiment=name) for name in kept} == kept


# --- what lasts -----------------------------------------------------------------------------------


def test_snapshots_are_there_after_reopening_and_still_never_go_back(reopen: Reopen) -> None:
    one = reopen(START)
    one.cache.put(snapshot(3))
    one.cache.put(snapshot(4))
    other = reopen(START)
    assert other.cache.latest("b") == snapshot(4)
    assert not other.cache.put(snapshot(4))
    assert versions(other.cache) == [3, 4]
