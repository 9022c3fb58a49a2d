"""Imported trials are added exactly once: over restarts, repetitions, lost answers and replay."""

from pathlib import Path
from typing import Any

import pytest

from croupier.apps.learn import Learn
from croupier.config.backends import Backends, open_backends
from croupier.config.settings import parse_settings
from croupier.core import codec
from croupier.core.arms.sums import Sums
from croupier.core.records import Imported
from croupier.ports import OBSERVATIONS, Commit, UnavailableError
from croupier.runners.declare import declare, read_declarations
from croupier.runners.imports import Imports
from croupier.runners.replay import Replay, differences
from tests.apps.house import NAME, SINGLE, a_house
from tests.laws.streams import HandClock

START = 1_795_305_600_000
TRIALS = Sums(*(100 * each for each in Sums.of(1_000_000, 1.0)))


def a_row(number: int, content: bytes = b"") -> Imported:
    return Imported(
        id=number.to_bytes(16, "big"),
        content=b"c" + content + number.to_bytes(15, "big"),
        experiment=NAME,
        arm=0,
        slot=0,
        reward_version=1,
        at=START,
        sums=TRIALS.encode(),
    )


@pytest.fixture
def backends() -> Backends:
    made = open_backends("memory://", clock=HandClock(START))
    declare(parse_settings(SINGLE), made.log, made.clock)
    return made


def append(backends: Backends, *numbers: int) -> None:
    records = [codec.encode(a_row(number)) for number in numbers]
    backends.log.append(OBSERVATIONS, records).result(5)


def an_importer(backends: Backends) -> Imports:
    return Imports(backends, Learn(read_declarations(backends.log), backends.cache))


def n(backends: Backends) -> int:
    rows = backends.states.load().sums.items()
    return sum(each.n for key, each in rows if key.stratum == "policy")


def test_each_row_is_added_once_however_often_it_is_on_the_log(backends: Backends) -> None:
    imports = an_importer(backends)
    append(backends, 1, 2, 2)
    append(backends, 2, 3)
    assert imports.drain({}, 0)
    assert n(backends) == 300
    append(backends, 1, 4)
    assert imports.drain({}, 0)
    append(backends, 1)
    assert not imports.drain({}, 0)
    assert n(backends) == 400
    assert backends.states.load().counts == {(NAME, "imported"): 400}


def test_whoever_starts_again_adds_nothing_again(backends: Backends) -> None:
    append(backends, 1, 2)
    an_importer(backends).drain({}, 0)
    append(backends, 3)
    other = an_importer(backends)
    other.resume(0)
    assert other.drain({}, 0)
    assert n(backends) == 300


@pytest.mark.parametrize("arrived", [True, False])
def test_a_commit_without_an_answer_is_added_once(
    backends: Backends, arrived: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer was lost, or the commit was: memory and state agree afterwards."""
    real, learn = backends.states.commit, Learn(read_declarations(backends.log), backends.cache)

    def lost(commit: Commit) -> None:
        if arrived:
            real(commit)
        raise UnavailableError("the wire was cut")

    imports = Imports(backends, learn)
    append(backends, 1, 2)
    monkeypatch.setattr(backends.states, "commit", lost)
    with pytest.raises(UnavailableError):
        imports.drain({}, 0)
    monkeypatch.setattr(backends.states, "commit", real)
    imports.drain({}, 0)
    assert n(backends) == 200
    assert learn._tables[NAME, 1, ""][0].total(0).n == 200


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "croupier.db"


def post(house: Any, *rows: Any) -> Any:
    path = f"/v1/experiments/{NAME}/import"
    return house.post(path, list(rows), **{"idempotency-key": "k"}).json()


def row(arm: str, reward_sum: int) -> dict[str, object]:
    return {"arm": arm, "n": 100, "reward_sum": reward_sum}


def test_imports_outlive_a_restart_and_replay_rebuilds_them(data: Path) -> None:
    with a_house(data, SINGLE) as house:
        house.trial("u", "click")
        post(house, row("install", 5), row("nope", 1))
        house.settle()
        house.reopen(SINGLE)
        assert post(house, row("install", 5), row("free-trial", 9))["duplicate"] == 1
        house.trial("v")
        page = house.settle()
        assert (page["observations"], page["imported"]) == (2, 200)
        assert sum(arm["n"] for arm in page["arms"]) == 202
    backends = open_backends(data, read_only=True)
    standing, again = backends.states.load(), Replay(backends, read_declarations(backends.log))
    rebuilt = again.rebuild()
    assert differences(standing.sums, rebuilt.sums) == []
    assert dict(rebuilt.counts) == standing.counts


def test_what_was_appended_but_not_learned_is_learned_at_the_next_start(data: Path) -> None:
    """A process is killed between the append and the commit; replay leaves such rows out."""
    with a_house(data, SINGLE) as house:
        post(house, row("install", 5))
    backends = open_backends(data)
    append(backends, 7, 8)
    again = Replay(backends, read_declarations(backends.log))
    assert differences(again.standing.sums, again.rebuild().sums) == []
    backends.close()
    with a_house(data, SINGLE) as house:
        assert house.until(lambda page: page["imported"] == 300)


def test_imports_that_were_trimmed_make_the_log_less_than_whole(data: Path) -> None:
    with a_house(data, SINGLE) as house:
        post(house, row("install", 5))
        post(house, row("free-trial", 5))
        house.trial("u")
    backends = open_backends(data)
    assert Replay(backends, read_declarations(backends.log)).whole()
    backends.log.trim(OBSERVATIONS, backends.log.read(OBSERVATIONS, {}, 2)[1].stamp)
    assert not Replay(backends, read_declarations(backends.log)).whole()
    backends.close()


def test_a_file_of_before_there_were_imports_is_brought_up_to_date(data: Path) -> None:
    import sqlite3

    with a_house(data, SINGLE):
        pass
    with sqlite3.connect(data) as connection:
        connection.executescript("DROP TABLE ids; PRAGMA user_version = 1;")
    connection.close()
    old = open_backends(data, read_only=True)
    assert old.states.known([b"x"]) == set()
    old.close()
    with a_house(data, SINGLE) as house:
        assert post(house, row("install", 5))["learned"]
