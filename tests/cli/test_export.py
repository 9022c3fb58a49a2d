"""croupier export: Parquet beside a running server, or not."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.apps.house import NAME, SINGLE, a_house
from tests.cli.command import CommandLine


def test_everything_is_exported_and_told(croupier: CommandLine, shop: Path) -> None:
    words = ("export", "--data", shop / "croupier.db", "--out", shop / "out")
    told = croupier(*words, "--json")
    assert told.code == 0
    assert told.json()["rows"].items() >= {"observations": 10, "funnels": 10, "arms": 3}.items()
    assert told.json()["kept"] == []
    assert pq.read_table(shop / "out" / "observations").num_rows == 10
    assert "observations             10 rows" in croupier(*words).out


def test_it_runs_beside_the_server(croupier: CommandLine, tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", SINGLE) as house:
        house.trial("u", "click")
        words = ("export", "--data", tmp_path / "croupier.db", "--out", tmp_path / "out")
        told = croupier(*words, "--what", "log", "--experiment", NAME, "--json")
        assert told.json()["rows"] == {"events": 2}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--what", "everything"), "expected some of log"),
        (("--since", "yesterday"), "expected such as 2026-11-22"),
        (("--since", "2026-11-22", "--until", "2026-11-22"), "a day before"),
        (("--experiment", "nope"), "no experiment nope"),
        (("--what", "entries", "--experiment", NAME), "records of every --experiment"),
        (("--what", "entries", "--log", "kafka://nowhere/shop"), "of a data file only"),
        (("--data", "nowhere.db"), "no such data file"),
        (("--out", "croupier.toml"), "croupier.toml"),
    ],
)
def test_what_cannot_be_done_is_said(
    croupier: CommandLine,
    shop: Path,
    words: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(shop)
    found = croupier("export", *words)
    assert found.code == 2
    assert said in found.err
    assert "Traceback" not in found.err
