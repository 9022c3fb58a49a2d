"""The doctor's checks: each illness is found, named, and nothing is changed by looking."""

import hashlib
import sqlite3
from pathlib import Path

import pytest

from croupier.runners.checks import check_all
from tests.apps.house import TOP_BUTTON, a_house


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "croupier.toml"
    file.write_text(TOP_BUTTON)
    return file


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "croupier.db"
    with a_house(data) as house:
        house.trial("u", "click")
        house.page()
    return data


def wrong(config: Path, data: Path) -> dict[str, str]:
    """What is found to be wrong, by what was checked."""
    return {each.what: each.detail for each in check_all(config, data) if not each.ok}


def test_a_healthy_house_has_nothing_wrong(config: Path, data: Path) -> None:
    assert wrong(config, data) == {}
    found = {each.what: each.detail for each in check_all(config, data)}
    assert {"configuration", "disk", "keys", "data file", "lag", "clock"} <= found.keys()
    assert "0 observations" in found["top-button"]
    assert "1 open" in found["top-button"]


def test_looking_changes_nothing(config: Path, data: Path) -> None:
    def seen() -> dict[str, str]:
        return {
            each.name: hashlib.sha256(each.read_bytes()).hexdigest()
            for each in data.parent.iterdir()
            if not each.name.endswith(("-shm", "-wal"))
        }

    before = seen()
    check_all(config, data)
    assert seen() == before


def test_it_may_look_while_the_server_runs(config: Path, data: Path) -> None:
    with a_house(data) as house:
        assert wrong(config, data) == {}
        house.trial("v")


def test_before_the_first_start_all_is_well(config: Path, tmp_path: Path) -> None:
    found = check_all(config, tmp_path / "new.db")
    assert all(each.ok for each in found)
    assert not (tmp_path / "new.db").exists()
    assert not (tmp_path / "new.db.keys").exists()


def test_each_problem_of_the_configuration_is_a_finding(config: Path, data: Path) -> None:
    config.write_text(TOP_BUTTON.replace('default = "install"', 'default = "x"') + "[serve]\n")
    details = [each.detail for each in check_all(config, data) if each.what == "configuration"]
    assert len(details) == 2
    assert all(detail.startswith(f"{config}: ") for detail in details)


def test_keys_that_are_gone_are_found(config: Path, data: Path) -> None:
    data.with_name("croupier.db.keys").unlink()
    assert "restore it from a backup" in wrong(config, data)["keys"]
    assert not data.with_name("croupier.db.keys").exists()


def test_keys_that_others_can_read_are_found(config: Path, data: Path) -> None:
    data.with_name("croupier.db.keys").chmod(0o640)
    assert "can be read by others: chmod 600 it" in wrong(config, data)["keys"]


@pytest.mark.parametrize("text", ["garbage", "{}"])
def test_keys_that_are_garbage_are_found(config: Path, data: Path, text: str) -> None:
    data.with_name("croupier.db.keys").write_text(text)
    assert "not a keys file" in wrong(config, data)["keys"]


def test_a_keys_file_without_keys_is_found(config: Path, data: Path) -> None:
    file = data.with_name("croupier.db.keys")
    file.write_text('{"token": {}, "unit": "' + "11" * 32 + '"}')
    assert "keys" in wrong(config, data)


def test_a_folder_that_is_not_there_is_found(config: Path, tmp_path: Path) -> None:
    assert wrong(config, tmp_path / "nowhere" / "croupier.db")


def test_a_file_that_is_not_ours_is_found(config: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_text("not a database, whatever it is called")
    assert "not a database" in wrong(config, other)["data file"]


def test_a_damaged_file_is_found(config: Path, data: Path) -> None:
    with data.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)
    assert "data file" in wrong(config, data)


def test_a_damaged_record_is_found(config: Path, data: Path) -> None:
    with sqlite3.connect(data) as connection:
        connection.execute("UPDATE log_arms SET payload = x'c1'")
    connection.close()
    assert wrong(config, data)


def test_records_from_the_future_are_found(config: Path, data: Path) -> None:
    with a_house(data) as house:
        house.later(3_600_000)
        house.trial("v")
    assert "in the future: was the clock set back?" in wrong(config, data)["clock"]


def test_an_empty_log_has_no_newest_record(config: Path, tmp_path: Path) -> None:
    with a_house(tmp_path / "empty.db"):
        pass
    found = {each.what: each.detail for each in check_all(config, tmp_path / "empty.db")}
    assert "w" not in found["clock"].split("newest record ")[-1]


def test_what_the_next_start_would_change_is_said(config: Path, data: Path) -> None:
    config.write_text(TOP_BUTTON.replace("click = 1.0", "click = 2.0"))
    found = [each for each in check_all(config, data) if each.what == "top-button"]
    assert all(each.ok for each in found)
    assert any(
        "the next start declares: reward (reward version 2: its sums begin empty)" in each.detail
        for each in found
    )
