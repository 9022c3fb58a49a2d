"""croupier candidates: arms that follow their table, and why they do not."""

from pathlib import Path

from tests.apps.house import NAME, TOP_BUTTON, a_house, listening
from tests.cli.command import CommandLine

TOML = TOP_BUTTON.replace('arms = ["install", "free-trial", "see-recipes"]\n', "")
TABLE = '\n[experiment.candidates]\nsource = "{}"\ncolumns = {{ active = "active" }}\n'


def test_what_a_refresh_did_and_why_it_did_not(croupier: CommandLine, tmp_path: Path) -> None:
    table = tmp_path / "arms.csv"
    table.write_text("arm,active\ninstall,yes\nfree-trial,yes\n")
    with (
        a_house(tmp_path / "croupier.db", TOML + TABLE.format(table)) as house,
        listening(house) as port,
    ):
        words = ("candidates", "refresh", NAME, "--server", f"http://127.0.0.1:{port}")
        assert "nothing to change" in croupier(*words).out
        table.write_text("arm,active\ninstall,yes\nfree-trial,yes\nnew,yes\nodd,maybe\n")
        found = croupier(*words)
        assert found.code == 0
        assert "put: new" in found.out
        assert "row 4: active: expected yes or no, got 'maybe'" in found.out
        table.write_text("arm,actve\ninstall,yes\n")
        shown, told = croupier(*words), croupier(*words, "--json")
    assert (shown.code, shown.out, told.code) == (2, "", 2)
    assert "row 1: active: there is no such column" in " ".join(shown.err.replace("│", " ").split())
    assert [(bad["row"], bad["column"]) for bad in told.json()["bad_rows"]] == [(1, "active")]
    assert told.json()["outcome"] == "refused"
