"""croupier evaluate on tables of slates: rows of one ranking belong together."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from tests.cli.command import CommandLine, Outcome

HEADER = "ranking,position,action,propensity,choice,reward"
RATE = {"a": 0.5, "b": 0.3, "c": 0.1}


def write(file: Path, rows: list[str], header: str = HEADER) -> Path:
    file.write_text("\n".join([header, *rows]) + "\n")
    return file


@pytest.fixture(scope="module")
def rows() -> list[str]:
    """1,500 slates of two of three arms, each alike; below a click a fifth of the rate is left."""
    dice, found = np.random.default_rng(6), []
    orders = [*permutations(RATE, 2)]
    for number in range(1_500):
        first, second = orders[dice.integers(6)]
        clicked = dice.random() < RATE[first]
        below = dice.random() < RATE[second] * (0.2 if clicked else 1.0)
        found += [
            f"r{number},2,{second},{1 / 3},0.5,{int(below)}",
            f"r{number},1,{first},{1 / 3},{1 / 3},{int(clicked)}",
        ]
    dice.shuffle(found)
    return found


def ask(croupier: CommandLine, log: Path, policy: str = "a,b", *words: object) -> Outcome:
    return croupier("evaluate", log, "--policy", f"ranking:{policy}", "--json", *words)


def test_what_a_ranking_would_have_earned(
    croupier: CommandLine, rows: list[str], tmp_path: Path
) -> None:
    log = write(tmp_path / "log.csv", rows)
    found = ask(croupier, log, "a,b", "--least-propensity", "0.33")
    assert (found.code, found.err) == (0, "")
    told, true = found.json(), 0.5 + 0.3 * (0.5 + 0.5 * 0.2)
    assert (told["rounds"], told["refused"], told["refused_by"]) == (1_500, [], {})
    for name in ("cascade", "cascade_dr"):
        each = told["estimates"][name]
        assert each["value"] == pytest.approx(true, abs=0.2)  # six standard errors
        assert "low" not in each or 0 <= each["low"] < true < each["high"] <= 2
    assert told["estimates"]["item_position"]["high"] <= 2
    logged = ask(croupier, log, "logged").json()
    assert logged["estimates"]["cascade"]["value"] == pytest.approx(logged["logged"]["value"])
    uniform = ask(croupier, log, "uniform").json()["estimates"]["cascade"]
    assert uniform["value"] == pytest.approx(logged["logged"]["value"])


def test_without_the_chances_given_those_above_only_positions_are_told(
    croupier: CommandLine, rows: list[str], tmp_path: Path
) -> None:
    short = [",".join(np.delete(row.split(","), 4)) for row in rows]
    head = "slate_id,position,action,propensity,reward"
    told = ask(croupier, write(tmp_path / "log.csv", short, head)).json()
    assert set(told["estimates"]) == {"item_position"}
    assert set(told["refused_by"]) == {"cascade", "cascade_dr"}
    assert "no column for choice" in told["refused_by"]["cascade"][0]


def test_columns_have_other_names_and_parquet_is_the_same(
    croupier: CommandLine, rows: list[str], tmp_path: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    reader = pytest.importorskip("pyarrow.csv")
    first = ask(croupier, write(tmp_path / "log.csv", rows)).json()
    other = write(tmp_path / "o.csv", rows, "page,place,shown,propensity,given,sold")
    parquet.write_table(reader.read_csv(other), tmp_path / "log.parquet")
    names = "ranking=page,position=place,action=shown,choice=given,reward=sold"
    again = ask(croupier, tmp_path / "log.parquet", "a,b", "--columns", names).json()
    assert again | {"log": ""} == first | {"log": ""}


def test_rows_and_slates_that_cannot_be_used_are_counted(
    croupier: CommandLine, rows: list[str], tmp_path: Path
) -> None:
    odd = [
        "x1,1,a,0.5,0.5,1",  # alone
        "x2,1,a,0.5,0.5,1", "x2,1,b,0.5,0.5,1", "x2,2,b,0.5,0.5,1",
        "x3,1,a,0.5,0.5,1", "x3,2,a,0.5,0.5,1",
        ",1,a,0.5,0.5,1", "x4,top,a,0.5,0.5,1", "x4,1,a,0.5,0,1", "x4,2,a,0.5,,1", "x4,1,a,0,1,1",
    ]  # fmt: skip
    told = ask(croupier, write(tmp_path / "log.csv", odd + rows)).json()
    assert told["rounds"] == 1_500
    assert told["left_out"] == {
        "slates with empty slots": 1,
        "slates with two arms in one position": 1,
        "slates that show an arm twice": 1,
    }
    assert told["wrong"] == [
        "line 8: ranking: empty",
        "line 9: position: expected a whole number, got 'top'",
        "line 10: choice: expected a probability above 0, at most 1, got '0'",
        "line 11: choice: expected a probability, got ''",
        "line 12: propensity: expected a probability above 0, at most 1, got '0'",
    ]
    few = ask(croupier, write(tmp_path / "few.csv", odd[-5:] + rows[:400]))
    assert few.code == 1
    assert "5 of 405 rows could not be read" in few.json()["refused"]


@pytest.mark.parametrize("position", ["7", "-1", "1e300"])
def test_a_position_that_hardly_any_ranking_has_is_a_wrong_row(
    croupier: CommandLine, rows: list[str], tmp_path: Path, position: str
) -> None:
    """In place of another position it costs that slate; beside them nothing; it is no slot."""
    astray = [f"x1,1,a,0.5,0.5,1\nx1,{position},b,0.5,0.5,1", f"x2,{position},c,0.5,0.5,1"]
    astray += ["x2,1,a,0.5,0.5,1", "x2,2,b,0.5,0.5,1"]
    told = ask(croupier, write(tmp_path / "log.csv", astray + rows)).json()
    assert (told["rounds"], told["refused"]) == (1_501, [])
    assert told["left_out"] == {"slates with empty slots": 1}
    assert told["wrong"] == [
        f"line {line}: position: 2 of 1,502 rankings have the position {float(position):g}"
        for line in (3, 4)
    ]


def test_a_stated_least_propensity_and_rewards_are_held_against_the_log(
    croupier: CommandLine, rows: list[str], tmp_path: Path
) -> None:
    log = write(tmp_path / "log.csv", rows)
    told = ask(croupier, log, "a,b", "--least-propensity", "0.5").json()
    assert "could more than 2" in told["refused_by"]["item_position"][0]
    wrong = ask(croupier, log, "a,b", "--rewards", "0,0.5")
    assert wrong.code == 2
    assert "go from 0 to 1 a slot, outside 0,0.5" in wrong.err


@pytest.mark.parametrize(
    ("header", "words", "told"),
    [
        (HEADER, ["ranking:a,x"], "'x' is none of"),
        (HEADER, ["ranking:a"], "expected 2 different arms"),
        (HEADER, ["ranking:a,b", "--experiment", "x"], "is no data file"),
        (HEADER, ["ranking:a,b", "--confidence", "2"], "must be at least 0.5"),
        (HEADER.replace("ranking", "id"), ["ranking:a,b"], "no column for ranking"),
        (HEADER.replace("position", "p"), ["ranking:a,b"], "no column for position"),
        (HEADER.replace("choice", "reward"), ["ranking:a,b"], "2 columns are named 'reward'"),
        (HEADER.replace("choice", "reward"), ["uniform"], "2 columns are named 'reward'"),
    ],
)
def test_what_cannot_be_asked_of_slates_is_said(
    croupier: CommandLine, rows: list[str], tmp_path: Path, header: str, words: list[str], told: str
) -> None:
    log = write(tmp_path / "log.csv", rows, header)
    found = croupier("evaluate", log, "--policy", *words)
    assert found.code == 2
    assert told in " ".join(found.err.replace("│", " ").split())


def test_a_name_that_no_column_needs_may_be_there_twice(
    croupier: CommandLine, rows: list[str], tmp_path: Path
) -> None:
    log = write(tmp_path / "log.csv", [f"?,?,{row}" for row in rows], f"note,note,{HEADER}")
    assert ask(croupier, log).code == 0


def test_an_empty_log_is_refused(croupier: CommandLine, tmp_path: Path) -> None:
    found = ask(croupier, write(tmp_path / "log.csv", []))
    assert (found.code, found.json()["refused"]) == (1, ["no slates to evaluate on"])
