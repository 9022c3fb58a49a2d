"""croupier evaluate: estimates where a log carries them, refusals where it does not."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.command import CommandLine, Outcome

RATE = {"a": 0.2, "b": 0.5}


def write(file: Path, rows: list[str], header: str = "action,reward,propensity") -> Path:
    file.write_text("\n".join([header, *rows]) + "\n")
    return file


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,000 rounds of two arms, "a" drawn with probability 0.75."""
    dice = np.random.default_rng(3)
    rows = []
    for _ in range(2_000):
        arm = "a" if dice.random() < 0.75 else "b"
        reward = int(dice.random() < RATE[arm])
        rows.append(f"{arm},{reward},{0.75 if arm == 'a' else 0.25}")
    return write(tmp_path_factory.mktemp("logs") / "log.csv", rows)


def ask(croupier: CommandLine, log: Path, *words: object) -> Outcome:
    return croupier("evaluate", log, "--json", *words)


def test_what_another_arm_would_have_earned(croupier: CommandLine, log: Path) -> None:
    found = ask(croupier, log, "--policy", "always:b", "--least-propensity", "0.25")
    assert (found.code, found.err) == (0, "")
    told = found.json()
    assert told["refused"] == []
    assert "refused_estimates" not in told or told["refused_estimates"] is None
    for name in ("ips", "snips", "dr"):
        each = told["estimates"][name]
        assert each["low"] < 0.5 < each["high"]
        assert each["value"] == pytest.approx(0.5, abs=0.12)  # six standard errors
    assert told["logged"]["value"] < 0.4


def test_the_logged_policy_gives_the_logged_mean(croupier: CommandLine, log: Path) -> None:
    told = ask(croupier, log, "--policy", "logged").json()
    for name in ("ips", "snips"):
        assert told["estimates"][name]["value"] == told["logged"]["value"]


def test_it_prints_a_table_and_draws_a_picture(
    croupier: CommandLine, log: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "forest.svg"
    found = croupier("evaluate", log, "--picture", picture)
    assert found.code == 0
    assert "doubly robust" in found.out
    assert "effective rounds" in found.out
    assert picture.read_text().count("<circle") == 5


def test_what_the_log_never_shows_is_refused(
    croupier: CommandLine, log: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "weights.json"
    weights.write_text(json.dumps({"a": 0.5, "b": 0.4, "unheard-of": 0.1}))
    found = ask(croupier, log, "--policy", weights, "--picture", tmp_path / "refused.svg")
    assert found.code == 1
    told = found.json()
    assert told["estimates"] is None
    assert "10.0% of the target's probability" in told["refused"][0]
    assert told["diagnostics"]["unsupported"] == pytest.approx(0.1)
    assert "refused: 10.0%" in (tmp_path / "refused.svg").read_text()
    shown = croupier("evaluate", log, "--policy", weights)
    assert (shown.code, "REFUSED" in shown.out, "snips" in shown.out) == (1, True, False)


def test_propensities_that_are_not_those_drawn_are_refused(
    croupier: CommandLine, log: Path, tmp_path: Path
) -> None:
    lines = log.read_text().replace("0.75", "0.5").replace("0.25", "0.5").splitlines()
    wrong = write(tmp_path / "wrong.csv", lines[1:])
    told = ask(croupier, wrong, "--policy", "always:b").json()
    assert any("standard errors away" in reason for reason in told["refused"])


def test_a_stated_least_propensity_is_held_against_the_log(
    croupier: CommandLine, log: Path
) -> None:
    told = ask(croupier, log, "--policy", "always:b", "--least-propensity", "0.5").json()
    assert any("none could weigh more than 2" in reason for reason in told["refused"])


def test_wrong_rows_are_named_and_counted(croupier: CommandLine, tmp_path: Path) -> None:
    rows = ["a,1,0.5", "b,0,0.5"] * 500
    rows[3:3] = ["a,x,0.5", "a,1,0", ",1,0.5", "a,1", "b,1,nan"]
    found = ask(croupier, write(tmp_path / "log.csv", rows))
    assert found.code == 0
    told = found.json()
    assert (told["rounds"], told["wrong_rows"]) == (1000, 5)
    assert told["wrong"] == [
        "line 5: reward: expected a number, got 'x'",
        "line 6: propensity: expected a probability above 0, at most 1, got '0'",
        "line 7: action: empty",
        "line 8: 2 columns, expected 3",
        "line 9: propensity: expected a probability above 0, at most 1, got 'nan'",
    ]
    few = write(tmp_path / "few.csv", [*rows[:20], *["a,x,1"] * 9])
    refused = ask(croupier, few).json()["refused"]
    assert "14 of 29 rows could not be read" in refused
    shown = croupier("evaluate", few)
    assert "14 rows could not be used, 4 more like these" in shown.err


def test_a_row_longer_than_the_head_is_wrong(croupier: CommandLine, tmp_path: Path) -> None:
    """Quotes forgotten around a name or a decimal comma move all cells behind it."""
    rows = [*["a,1,0.5", "b,0,0.5"] * 500, *["Buy 2,1,0.5,0.5", "a,0,0.5,"] * 3]
    told = ask(croupier, write(tmp_path / "log.csv", rows)).json()
    assert (told["rounds"], told["wrong_rows"]) == (1000, 6)
    assert told["wrong"][0] == "line 1002: 4 columns, expected 3"


def test_an_unclosed_quote_swallows_no_rows(
    croupier: CommandLine, log: Path, tmp_path: Path
) -> None:
    """To the end of the file, or to the next quote: neither is one odd row among many."""
    rows = log.read_text().splitlines()[1:]
    rows[100] = '"' + rows[100]
    found = ask(croupier, write(tmp_path / "open.csv", rows))
    assert (found.code, found.out) == (2, "")
    assert "open.csv: from line 102 on: unexpected end of data: is a quote not closed?" in found.err
    rows[400] = rows[400].replace(",", '",', 1)
    told = ask(croupier, write(tmp_path / "closed.csv", rows)).json()
    assert (told["rounds"], told["wrong_rows"]) == (1_699, 301)
    assert told["wrong"] == [
        "line 102: a quoted text of 301 lines, 300 of which look like rows: is a quote not closed?"
    ]
    assert "301 of 2,000 rows could not be read" in told["refused"]


def test_a_quoted_text_of_several_lines_is_one_cell(croupier: CommandLine, tmp_path: Path) -> None:
    rows = ["a,1,0.5,plain", 'b,0,0.5,"one, two,\nthree, four"', '"a\nb",1,0.5,x'] * 100
    header = "action,reward,propensity,text"
    told = ask(croupier, write(tmp_path / "log.csv", rows, header), "--policy", "uniform").json()
    assert (told["rounds"], told["wrong_rows"]) == (300, 0)


def test_the_mark_that_some_programs_begin_a_file_with_costs_no_line(
    croupier: CommandLine, tmp_path: Path
) -> None:
    line = '{"_label_cost": -1, "_label_probability": 0.5, "_label_Action": 1, "a": [1, 2], '
    line += '"p": [0.5, 0.5]}\n'
    (tmp_path / "log.dsjson").write_text(line * 200, encoding="utf-8-sig")
    for path, more in ((tmp_path / "log.dsjson", ()), (tmp_path, ("--part", "log"))):
        told = ask(croupier, path, "--policy", "uniform", *more).json()
        assert (told["rounds"], told["wrong_rows"]) == (200, 0)


def test_parquet_and_other_column_names(croupier: CommandLine, log: Path, tmp_path: Path) -> None:
    pyarrow_csv, parquet = (
        pytest.importorskip("pyarrow.csv"),
        pytest.importorskip("pyarrow.parquet"),
    )
    rows = [f"?,{line},0.5" for line in log.read_text().splitlines()[1:]]
    other = write(tmp_path / "o.csv", rows, "context,shown,sold,propensity,target")
    file = tmp_path / "log.parquet"
    parquet.write_table(pyarrow_csv.read_csv(other), file)
    named = ("--columns", "action=shown,reward=sold", "--policy")
    ours = ask(croupier, file, *named, "always:b").json()["estimates"]
    assert ours == ask(croupier, log, "--policy", "always:b").json()["estimates"]
    column = ask(croupier, file, *named, "column").json()["estimates"]
    assert column.keys() == {"ips", "snips"}
    assert column["ips"]["value"] == ask(croupier, log).json()["estimates"]["ips"]["value"]


def test_a_policy_learns_from_the_first_part(croupier: CommandLine, log: Path) -> None:
    told = ask(croupier, log, "--policy", "thompson:floor=0.05").json()
    assert (told["learned_from"], told["rounds"]) == (1000, 1000)
    assert told["estimates"]["ips"]["value"] > told["logged"]["value"]
    soft = ask(croupier, log, "--policy", "softmax:temperature=0.1").json()
    assert told["logged"]["value"] < soft["estimates"]["ips"]["value"]
    replayed = ask(croupier, log, "--policy", "thompson", "--replay")
    assert replayed.code == 1
    assert "needs uniform draws of 2 arms" in replayed.json()["refused"][0]


def test_replay_on_uniform_draws(croupier: CommandLine, tmp_path: Path) -> None:
    dice = np.random.default_rng(6)
    rows = [f"{arm},{int(dice.random() < RATE[arm])},0.5" for arm in dice.choice(["a", "b"], 600)]
    told = ask(croupier, write(tmp_path / "u.csv", rows), "--policy", "thompson", "--replay").json()
    assert 200 < told["learned_from"] < 400
    assert told["estimates"]["replay"]["low"] < told["estimates"]["replay"]["value"]


@pytest.mark.parametrize(
    "words",
    [[], ["--policy", "logged"], ["--policy", "thompson"], ["--policy", "ucb1", "--replay"]],
)
def test_a_log_without_rounds_is_refused(
    croupier: CommandLine, tmp_path: Path, words: list[str]
) -> None:
    told = ask(croupier, write(tmp_path / "log.csv", []), *words)
    assert (told.code, told.json()["refused"]) == (1, ["no rounds to evaluate on"])
    assert croupier("evaluate", tmp_path / "log.csv", *words).code == 1


def test_nothing_to_check_is_refused(croupier: CommandLine, tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", [])
    told = ask(croupier, log, "--check")
    assert (told.code, told.json()["text"]) == (1, "no rounds to evaluate on")
    shown = croupier("evaluate", log, "--check")
    assert (shown.code, "0 rounds: no rounds to evaluate on" in shown.out) == (1, True)


def test_numbers_that_cannot_be_meant_are_wrong_rows(croupier: CommandLine, tmp_path: Path) -> None:
    """What is just within the limits still has finite sums."""
    rows = ["a,1,0.5", "b,0,0.5"] * 500
    rows[3:3] = ["a,1,1e-200", "a,1e300,0.5", "a,-1e300,0.5"]
    file = write(tmp_path / "log.csv", rows)
    told = ask(croupier, file).json()
    assert (told["rounds"], told["refused"]) == (1000, [])
    assert told["wrong"] == [
        "line 5: propensity: expected at least 1e-50, got '1e-200'",
        "line 6: reward: expected at most 1e+50 of either sign, got '1e300'",
        "line 7: reward: expected at most 1e+50 of either sign, got '-1e300'",
    ]
    assert ask(croupier, file, "--check").code == 0
    extreme = write(tmp_path / "extreme.csv", ["a,1e50,1e-50", "b,-1e50,1e-50"] * 50)
    for words in (["--policy", "always:a"], ["--check"]):
        found = ask(croupier, extreme, "--rewards=-1e50,1e50", *words)
        assert (found.code, found.json()["rounds"]) == (1, 100)


def test_propensities_of_all_actions_must_be_such(croupier: CommandLine, tmp_path: Path) -> None:
    """VW dsjson: line 1 and 2 are sound, of one choice and of slots."""
    choice = '{{"_label_cost":-1,"_label_probability":0.5,"_label_Action":1,"a":[1,2],"p":[{}]}}'
    slots = '{{"_outcomes":[{{"_label_cost":0,"_a":[0,1],"_p":[{}]}}]}}'
    told = ["0.5,0.5", "0.5,0.5004", "0.5,1.5", "0.5,-0.5", "0.5,0.4", "0,1", "0.5,1e-60"]
    for form, column in ((choice, "p"), (slots, "_p")):
        file = tmp_path / f"{column}.json"
        file.write_text("\n".join(form.format(p) for p in told) + "\n")
        found = ask(croupier, file).json()
        assert (found["rounds"], found["wrong_rows"]) == (2, 5)
        for line, reason in zip(
            found["wrong"],
            (
                "expected a probability for action 2, got 1.5",
                "expected a probability for action 2, got -0.5",
                "expected propensities that add up to 1, got 0.9",
                "the action shown, 1, has a propensity of 0",
                "below 1e-50 for action 2, got 1e-60",
            ),
            strict=True,
        ):
            assert line.endswith(f": {column}: {reason}")


def test_a_shop_reads_its_own_log(croupier: CommandLine, shop: Path) -> None:
    data = shop / "croupier.db"
    found = ask(croupier, data, "--policy", "logged")
    told = found.json()
    assert (found.code, told["rounds"], told["logged"]["value"]) == (1, 10, 0.5)
    assert "effective sample size 10 of 10" in told["refused"][0]
    assert ask(croupier, data, "--experiment", "nothing").code == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--policy", "always:c"], "'c' is none of a, b"),
        (["--policy", "no-such-policy"], "always:ARM, thompson, epsilon_greedy"),
        (["--policy", "no-such-policy"], "kl_ucb, softmax"),
        (["--policy", "thompson:floor=9"], "floor"),
        (["--policy", "softmax:temperature=0"], "temperature must be above 0"),
        (["--policy", "softmax:tau=1"], "softmax has temperature, and no 'tau'"),
        (["--policy", "softmax:temperature=x"], "could not convert"),
        (["--replay"], "is for a policy that learns: thompson, "),
        (["--replay"], "kl_ucb, softmax"),
        (["--rewards", "0"], "expected two numbers"),
        (["--rewards", "0,0.5"], "go from 0 to 1, outside 0,0.5"),
        (["--confidence", "2"], "must be at least 0.5"),
        (["--least-propensity", "0"], "must be above 0"),
        (["--columns", "colour=red"], "expected action|reward"),
        (["--columns", "reward=red"], "no column for reward"),
        (["--part", "x"], "is a file"),
        (["--experiment", "x"], "is no data file"),
        (["--policy", "column"], "no column with the target"),
    ],
)
def test_what_cannot_be_asked_is_said(
    croupier: CommandLine, log: Path, words: list[str], told: str
) -> None:
    found = ask(croupier, log, *words)
    assert found.code == 2
    assert told in " ".join(found.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("no.csv", None, "no such file"),
        ("no.db", None, "no such file"),
        ("empty.csv", b"", "no column for action"),
        ("odd.csv.gz", b"not gzip", "odd.csv.gz"),
        (
            "broken.csv.gz",
            gzip.compress(b"action,reward,propensity\n" * 99, mtime=0)[:-30] + b"x" * 30,
            "gz",
        ),
        ("log.db", b"not SQLite, but long enough to have a header of sixteen bytes", "log.db"),
        ("odd.parquet", b"not parquet", "odd.parquet"),
        ("odd.csv", b"action,reward,propensity\n\xff\xfe,1,1\n", "odd.csv"),
    ],
)
def test_an_unreadable_file_is_named(
    croupier: CommandLine, tmp_path: Path, name: str, content: bytes | None, told: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    found = ask(croupier, tmp_path / name)
    assert (found.code, told in found.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("w.json", '{"a": 0.5}', "weights sum to 0.5, not 1"),
        ("w.json", '{"a": 1.5, "b": -0.5}', "between 0 and 1"),
        ("w.json", "[1]", "no weights of arms"),
        ("w.toml", "a = ", "no weights of arms"),
        ("w.toml", f"a = {'[' * 3_000}", "nested too deeply"),
        ("w.json", "[" * 100_000, "nested too deeply"),
        ("w.json", '{"left": {"a": 1.0}}', "no weights at ''"),
        ("w.csv", "arm,weight,weight\na,1,0\nb,0,1\n", "two columns have the same name"),
    ],
)
def test_a_wrong_file_of_weights_is_named(
    croupier: CommandLine, log: Path, tmp_path: Path, name: str, text: str, told: str
) -> None:
    (tmp_path / name).write_text(text)
    found = ask(croupier, log, "--policy", tmp_path / name)
    assert found.code == 2
    assert told in " ".join(found.err.replace("│", " ").split())


@pytest.mark.parametrize("name", ["w.toml", "w.csv"])
def test_weights_by_toml_and_csv(
    croupier: CommandLine, log: Path, tmp_path: Path, name: str
) -> None:
    text = {"w.toml": "a = 0.5\nb = 0.5\n", "w.csv": "arm,weight\na,0.5\nb,0.5\n"}[name]
    (tmp_path / name).write_text(text, "utf-8-sig")
    told = ask(croupier, log, "--policy", tmp_path / name).json()
    assert told["estimates"] == ask(croupier, log).json()["estimates"]


def test_dsjson_lines_that_cannot_be_used_are_named(croupier: CommandLine, tmp_path: Path) -> None:
    good = '{"_label_cost":-1,"_label_probability":0.5,"_label_Action":1,"a":[1,2],"p":[0.5,0.5]}'
    other = good.replace('"_label_Action":1,"a":[1,2]', '"_label_Action":2,"a":[2,1]')
    lines = [
        *[good, other] * 100,
        good[:-1] + ',"pdrop":0.5}',
        good[:-1] + ',"_skipLearn":true}',
        good.replace("[0.5,0.5]", "[1]"),
        "{",
        "{}",
    ]
    (tmp_path / "log.dsjson").write_text("\n".join(lines))
    told = ask(croupier, tmp_path / "log.dsjson").json()
    assert (told["rounds"], told["wrong_rows"]) == (200, 5)
    assert [line.split(": ")[1] for line in told["wrong"][:3]] == ["pdrop", "_skipLearn", "a"]


def test_arms_that_were_shown_as_often_as_the_log_says(croupier: CommandLine, log: Path) -> None:
    found = ask(croupier, log, "--check")
    told = found.json()
    assert (found.code, told["rounds"], told["alarm"]) == (0, 2_000, False)
    assert [(arm["arm"], arm["rounds"], arm["expected"]) for arm in told["arms"]] == [
        ("a", 2_000, pytest.approx(1_500)), ("b", 2_000, pytest.approx(500)),
    ]  # fmt: skip


def test_a_log_that_lost_impressions_is_an_alarm(
    croupier: CommandLine, log: Path, tmp_path: Path
) -> None:
    """Every third row of "b" is gone: what was expected, what was seen, what to look at."""
    rows = log.read_text().splitlines()[1:]
    rare = [row for row in rows if row.startswith("b")]
    kept = [row for row in rows if row.startswith("a")] + [r for k, r in enumerate(rare) if k % 3]
    found = croupier("evaluate", write(tmp_path / "lost.csv", kept), "--check")
    assert found.code == 1
    said = " ".join(found.out.split())
    shown, rounds = len(rare) - -(-len(rare) // 3), len(kept)
    assert f"ALARM: b was shown in {shown:,} of {rounds:,} rounds, where its propensities" in said
    assert f"make it {rounds / 4:,.0f} (p = " in said
    assert "look for impressions of it that are lost" in said


def test_our_own_log_is_checked_elsewhere(croupier: CommandLine, shop: Path) -> None:
    found = croupier("evaluate", shop / "croupier.db", "--check")
    assert found.code == 2
    assert "croupier estimates" in found.err
