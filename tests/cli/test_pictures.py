"""--picture: what was found is told first, and a picture is there whole or not at all."""

from pathlib import Path

import pytest

from tests.cli.command import CommandLine
from tests.full_disk import no_file_longer_than

ANSWERS = {"evaluate": '"estimates"', "simulate": '"runs"'}


@pytest.fixture(params=sorted(ANSWERS))
def words(request: pytest.FixtureRequest, tmp_path: Path) -> list[object]:
    """A command that draws a picture."""
    if request.param == "simulate":
        return ["simulate", "--visits", 300, "--json"]
    rows = "a,1,0.5\nb,0,0.5\n" * 500
    (tmp_path / "log.csv").write_text(f"action,reward,propensity\n{rows}")
    return ["evaluate", tmp_path / "log.csv", "--json"]


def test_an_answer_is_not_lost_with_its_picture(
    croupier: CommandLine, words: list[object], tmp_path: Path
) -> None:
    """The disk is full, the folder takes no file, the name is a folder's, the device is full."""
    (tmp_path / "old.svg").write_text("the one before")
    before = sorted(tmp_path.iterdir())
    for picture in (tmp_path / "old.svg", "/proc/x.svg", tmp_path, "/dev/full"):
        with no_file_longer_than(100):
            found = croupier(*words, "--picture", picture)
        assert (found.code, len(found.err.splitlines())) == (2, 1)
        assert str(picture) in found.err
        assert ANSWERS[str(words[0])] in found.out
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "old.svg").read_text() == "the one before"


def test_a_picture_goes_where_a_link_points(
    croupier: CommandLine, words: list[object], tmp_path: Path
) -> None:
    (tmp_path / "link.svg").symlink_to(tmp_path / "web.svg")
    for _ in range(2):
        assert croupier(*words, "--picture", tmp_path / "link.svg").code == 0
        assert (tmp_path / "link.svg").is_symlink()
        assert (tmp_path / "web.svg").read_text().endswith("</svg>\n")


@pytest.mark.parametrize("command", [*ANSWERS, "demo"])
def test_a_folder_that_is_not_there_is_said_at_once(croupier: CommandLine, command: str) -> None:
    more = ["log.csv"] if command == "evaluate" else []
    found = croupier(command, *more, "--picture", "/no/such/folder/x.svg")
    assert (found.code, found.out) == (2, "")
    assert "is not a folder" in " ".join(found.err.replace("│", " ").split())
