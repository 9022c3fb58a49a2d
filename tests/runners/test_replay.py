"""Replay: the log once more gives the sums that are stored, and no tampering goes unseen."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from croupier.config.backends import Backends, open_backends
from croupier.core.arms.sums import Sums
from croupier.runners.declare import read_declarations
from croupier.runners.replay import Rebuilt, Replay, differences
from tests.apps.house import NAME, SINGLE, TOP_BUTTON, a_house


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a past: trials, repeats, duplicates, something late, a change of reward."""
    data = tmp_path_factory.mktemp("past") / "croupier.db"
    with a_house(data, TOP_BUTTON) as house:
        late = house.trial("late")
        for number in range(12):
            house.trial(f"u-{number % 5}", *(["click"] if number % 3 else ["enrol"]))
        house.settle()
        house.reopen(SINGLE.replace("click = 1.0", "click = 1.0, enrol = 5.0"))
        house.report(*[{"kind": "click", "token": late["token"]}] * 2)
        for number in range(6):
            house.trial(f"v-{number}", "click", "enrol")
        house.settle()
        house.trial("open")
        house.page()
    return data


@pytest.fixture
def data(past: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(past.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / past.name


def read(data: Path) -> tuple[Backends, Rebuilt]:
    backends = open_backends(data, read_only=True)
    return backends, Replay(backends, read_declarations(backends.log)).rebuild()


def test_the_log_adds_up_to_the_stored_sums_and_counts(data: Path) -> None:
    backends, rebuilt = read(data)
    standing = backends.states.load()
    assert standing.sums
    assert rebuilt.whole
    assert differences(standing.sums, rebuilt.sums) == []
    assert dict(rebuilt.counts) == standing.counts
    assert rebuilt.counts[NAME, "late"] == 1


def test_what_is_still_open_is_not_added(data: Path) -> None:
    _, rebuilt = read(data)
    assert rebuilt.counts[NAME, "observations"] == sum(each.n for each in rebuilt.sums.values())


def test_a_tampered_sum_is_found_by_its_key(data: Path) -> None:
    backends, rebuilt = read(data)
    stored = backends.states.load().sums
    key = min(stored)
    more = stored | {key: stored[key] + Sums.of(1_000_000, 0.5)}
    (found,) = differences(more, rebuilt.sums)
    assert found.key == key._replace(period=0)
    assert found.stored.n == found.rebuilt.n + 1


def test_a_missing_and_an_invented_row_are_found(data: Path) -> None:
    backends, rebuilt = read(data)
    stored = backends.states.load().sums
    key = min(stored)
    fewer = {other: sums for other, sums in stored.items() if other != key}
    assert differences(fewer, rebuilt.sums)[0].stored == Sums()
    invented = stored | {key._replace(arm=9): Sums.of(0, 1.0)}
    assert differences(invented, rebuilt.sums)[0].rebuilt == Sums()


def test_the_correction_makes_the_stored_what_was_rebuilt(data: Path) -> None:
    with sqlite3.connect(data) as connection:
        connection.execute("DELETE FROM sums WHERE arm = (SELECT min(arm) FROM sums)")
        connection.execute("UPDATE counts SET value = value + 7 WHERE name = 'observations'")
    connection.close()
    backends = open_backends(data)
    standing = backends.states.load()
    again = Replay(backends, read_declarations(backends.log))
    rebuilt = again.rebuild()
    backends.states.commit(again.correction(rebuilt))
    after = backends.states.load()
    assert after.sums == rebuilt.sums
    assert after.counts == rebuilt.counts
    assert (after.positions, after.watermark) == (standing.positions, standing.watermark)
    backends.close()


def test_a_correction_of_what_is_right_changes_nothing(data: Path) -> None:
    backends, rebuilt = read(data)
    commit = Replay(backends, read_declarations(backends.log)).correction(rebuilt)
    assert commit.sums == {}
    assert not any(commit.counts.values())


def test_a_trimmed_log_is_not_taken_for_the_whole(data: Path) -> None:
    backends = open_backends(data)
    backends.log.trim("events", backends.states.load().watermark)
    backends.close()
    assert not read(data)[1].whole


def test_rolled_up_periods_are_still_the_same_sums(data: Path) -> None:
    backends, rebuilt = read(data)
    stored = backends.states.load().sums
    day: dict[tuple[object, ...], Sums] = {}
    for key, sums in stored.items():
        moved = key._replace(period=0)
        day[moved] = day.get(moved, Sums()) + sums
    assert differences(day, rebuilt.sums) == []  # type: ignore[arg-type]


def test_replay_reads_progress_aloud(data: Path) -> None:
    backends = open_backends(data, read_only=True)
    heard: list[int] = []
    again = Replay(backends, read_declarations(backends.log), heard.append)
    again.rebuild()
    assert heard[-1] == again.entries > 0
