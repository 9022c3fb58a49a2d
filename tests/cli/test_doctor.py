"""croupier doctor: a line a finding, exit code 1 when something is wrong."""

from pathlib import Path

import pytest

from tests.cli.command import CommandLine, Outcome


def examine(croupier: CommandLine, shop: Path, *words: str) -> Outcome:
    return croupier("doctor", "-c", shop / "croupier.toml", "-d", shop / "croupier.db", *words)


@pytest.fixture
def well(tmp_path: Path) -> Path:
    """A folder where nothing is wrong: no time travel, so that no record is from the future."""
    from tests.apps.house import SINGLE, a_house

    (tmp_path / "croupier.toml").write_text(SINGLE)
    with a_house(tmp_path / "croupier.db", SINGLE) as house:
        house.trial("u")
        house.page()
    return tmp_path


def test_a_healthy_folder_is_ok_line_by_line(croupier: CommandLine, well: Path) -> None:
    found = examine(croupier, well)
    assert (found.code, found.err) == (0, "")
    assert all(line.startswith("ok    ") for line in found.out.splitlines())
    assert "top-button" in found.out


def test_what_is_wrong_is_marked_and_ends_with_1(croupier: CommandLine, well: Path) -> None:
    (well / "croupier.db.keys").unlink()
    found = examine(croupier, well)
    assert found.code == 1
    (line,) = [line for line in found.out.splitlines() if line.startswith("FAIL")]
    assert "keys" in line
    assert "restore it from a backup" in line


def test_scripts_read_the_same_as_json(croupier: CommandLine, well: Path) -> None:
    found = examine(croupier, well, "--json")
    assert found.code == 0
    findings = found.json()["checks"]
    assert all(each.keys() == {"what", "ok", "detail"} for each in findings)
    assert all(each["ok"] is True for each in findings)
    (well / "croupier.toml").write_text("")
    found = examine(croupier, well, "--json")
    assert found.code == 1
    assert [each["what"] for each in found.json()["checks"] if not each["ok"]] == ["configuration"]


def test_json_is_one_object_as_the_help_says(croupier: CommandLine, well: Path) -> None:
    assert isinstance(examine(croupier, well, "--json").json(), dict)


def test_before_the_first_start_it_says_so(croupier: CommandLine, tmp_path: Path) -> None:
    from tests.apps.house import TOP_BUTTON

    (tmp_path / "croupier.toml").write_text(TOP_BUTTON)
    found = examine(croupier, tmp_path)
    assert found.code == 0
    assert "made by the first `up`" in found.out
