"""candidates: rows read one by one, and the arms of a running ring that follow their table."""

from pathlib import Path
from typing import Any

import pytest

from croupier.apps.candidates.rows import read_rows
from croupier.config.errors import ConfigError
from croupier.config.settings import parse_settings
from croupier.core.refresh import Row
from tests.apps.house import NAME, TOP_BUTTON, House, a_house, arms

DOOR = f"/v1/experiments/{NAME}/candidates/refresh"
COLUMNS = 'active = "active", valid_from = "from", valid_until = "until", experiment = "where"'
HEAD = "where,arm,active,from,until\n"


def toml(source: object, more: str = "", columns: str = COLUMNS) -> str:
    plain = TOP_BUTTON.replace('arms = ["install", "free-trial", "see-recipes"]\n', "")
    return (
        f'{plain}\n[experiment.candidates]\nsource = "{source}"\ncolumns = {{ {columns} }}\n{more}'
    )


def write(path: Path, *names: str, bad: str = "") -> Path:
    rows = "".join(f"{NAME},{name},yes,,\n" for name in names)
    path.write_text(HEAD + rows + bad, encoding="utf-8")
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write(tmp_path / "arms.csv", "install", "free-trial", "see-recipes")


def refresh(house: House, **more: Any) -> Any:
    answer = house.post(DOOR, more or "")
    return answer.json() | {"status": answer.status_code}


def status(house: House) -> dict[str, str]:
    return {arm["arm"]: arm["status"] for arm in house.page()["arms"]}


GROUPS = 'groups = { free-trial = "free" }\n'


def groups(house: House) -> dict[str, str]:
    return {arm["arm"]: arm["group"] for arm in house.page()["arms"] if "group" in arm}


def test_each_bad_row_is_named_and_the_others_are_read() -> None:
    spec = parse_settings(toml("arms.csv")).experiments[0]
    whole: dict[str, object] = {"where": NAME, "arm": "x", "active": "yes", "from": "", "until": ""}
    rows: list[dict[str, object]] = [
        whole,
        whole | {"arm": " y ", "from": "2026-01-31", "until": "2026-02-01T12:00:00+01:00"},
        whole | {"arm": "z", "active": 0, "until": 1_763_750_000_000},
        whole | {"active": "perhaps"},
        whole | {"until": "soon"},
        whole | {"arm": ""},
        whole | {"arm": "\x07"},
        {"where": NAME, "arm": "x"},
        whole | {"where": "elsewhere", "arm": ""},
        whole | {"until": "9" * 40},
    ]
    found = read_rows(rows, spec)
    assert found.size == 9
    assert found.rows == [
        Row("x"),
        Row("y", True, 1_769_817_600_000, 1_769_943_600_000),
        Row("z", False, None, 1_763_750_000_000),
    ]
    assert [(bad.row, bad.column, bad.arm) for bad in found.bad] == [
        (4, "active", "x"), (5, "until", "x"), (6, "arm", ""), (7, "arm", "\x07"),
        (8, "active", "x"), (10, "until", "x"),
    ]  # fmt: skip


def test_arms_follow_their_table(table: Path) -> None:
    with a_house(table.with_name("croupier.db"), toml(table)) as house:
        assert status(house) == dict.fromkeys(("free-trial", "install", "see-recipes"), "active")
        write(table, "install", "free-trial", "new")
        dry = refresh(house, dry_run=True)
        assert (dry["outcome"], dry["dry_run"], dry["version"]) == ("changed", True, 1)
        assert "new" not in status(house)
        found = refresh(house)
        assert found["change"] == dry["change"] == {
            "put": ["new"], "dropped": ["see-recipes"], "held": [], "regrouped": {},
        }  # fmt: skip
        assert (found["status"], found["version"]) == (200, 2)
        assert status(house) | {"new": "active", "see-recipes": "paused"} == status(house)
        assert refresh(house)["outcome"] == "same"
        last = house.client.get(f"/v1/experiments/{NAME}/arms").json()[-1]
        assert (last["by"], last["change"]) == ("candidates", "put new; dropped see-recipes")
        house.until(lambda page: arms(page)["new"]["weight"] > 0)
        told = {"experiment": NAME, "outcome": "changed"}
        assert house.metric("croupier_candidates_refreshes_total", **told) >= 1


def test_what_somebody_did_by_hand_stays(table: Path) -> None:
    with a_house(table.with_name("croupier.db"), toml(table)) as house:
        for change, arm in (("pause", "see-recipes"), ("put", "mine")):
            body = {"change": change, "arm": arm, "by": "ana"}
            assert house.post(f"/v1/experiments/{NAME}/arms", body).status_code == 200
        assert refresh(house)["change"]["held"] == ["mine", "see-recipes"]
        house.reopen(toml(table))
        assert refresh(house)["outcome"] == "same"
        assert status(house) | {"see-recipes": "paused", "mine": "active"} == status(house)


def test_groups_follow_their_column(table: Path) -> None:
    """What the file says of an arm goes before what the table says of it."""
    columns = 'group = "kind"'
    table.write_text("arm,kind\ninstall,now\nfree-trial,later\nbad,\x07\n")
    text = toml(table, columns=columns).replace("[experiment.cand", GROUPS + "[experiment.cand")
    with a_house(table.with_name("croupier.db"), text) as house:
        assert groups(house) == {"install": "now", "free-trial": "free"}
        table.write_text("arm,kind\ninstall,\nfree-trial,later\nnew,now\n")
        found = refresh(house)
        assert found["change"]["regrouped"] == {"install": "", "new": "now"}
        assert groups(house) == {"new": "now", "free-trial": "free"}
        assert refresh(house)["outcome"] == "same"


def test_a_table_that_is_broken_empties_nothing(table: Path) -> None:
    with a_house(table.with_name("croupier.db"), toml(table)) as house:
        before = status(house)
        write(table, "install")
        assert refresh(house)["status"] == 409
        assert "take away 2 of 3 arms" in refresh(house)["error"]
        write(table)
        assert refresh(house, force=True)["error"].endswith("lists no arm that is to be shown now")
        write(table, "install", "see-recipes", bad=f"{NAME},free-trial,perhaps,,\n")
        found = refresh(house)
        assert (found["outcome"], len(found["bad_rows"])) == ("same", 1)
        assert house.metric("croupier_candidates_bad_rows", experiment=NAME) == 1
        assert status(house) == before
        write(table, "install")
        assert refresh(house, force=True)["change"]["dropped"] == ["free-trial", "see-recipes"]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        (f"where,arm,actve,from,until\n{NAME},install,yes,,\n", "row 1: active: there is no such"),
        (f"whre,arm,active,from,until\n{NAME},install,yes,,\n", "row 1: where: there is no such"),
        (HEAD + f"other,x,yes,,\n{NAME},y,maybe,,\n", "row 2: active: expected yes or no"),
        (HEAD + f"{NAME},install,yes,,\n{NAME},y,yes,soon,\n", "row 2: from: expected a time"),
    ],
)
def test_a_refusal_names_the_first_row_that_cannot_be_read(
    table: Path, text: str, row: str
) -> None:
    with a_house(table.with_name("croupier.db"), toml(table)) as house:
        table.write_text(text)
        found = refresh(house)
        assert (found["status"], len(found["bad_rows"])) == (409, 1)
        assert f"; {row}" in found["error"] == found["reason"]


def test_a_source_that_is_away_changes_nothing_and_is_tried_again(table: Path) -> None:
    declared = toml(table, 'schedule = "1s"\n')
    with a_house(table.with_name("croupier.db"), declared) as house:
        before = status(house)
        table.rename(table.with_suffix(".away"))
        assert refresh(house)["status"] == 503
        house.reopen(declared)
        away = {"experiment": NAME, "outcome": "unreadable"}
        name = "croupier_candidates_refreshes_total"
        house.until(lambda _: house.metric(name, **away) >= 1)
        assert status(house) == before
        assert house.decide()["reason"] == "policy"
        write(table, *before, "back-again")
        house.until(lambda page: "back-again" in arms(page))


def test_a_first_start_without_arms_is_refused_with_the_reason(tmp_path: Path) -> None:
    for rows, reason in ((None, "No such file"), ("", "list no arm")):
        if rows is not None:
            (tmp_path / "arms.csv").write_text(HEAD + rows)
        with pytest.raises(ConfigError, match=f"top-button.*no arms yet.*{reason}"):
            House(tmp_path / f"{rows is None}.db", toml(tmp_path / "arms.csv"))
    write(tmp_path / "arms.csv", "a")
    with a_house(tmp_path / "croupier.db", toml(tmp_path / "arms.csv")) as house:
        assert status(house) == {"a": "active", "install": "active"}


def test_arms_may_become_candidates_and_arms_again(table: Path) -> None:
    with a_house(table.with_name("croupier.db")) as house:
        write(table, "install", "free-trial", "listed")
        house.reopen(toml(table))
        house.until(lambda page: "listed" in arms(page))
        assert status(house)["see-recipes"] == "paused"
        house.reopen(TOP_BUTTON)
        assert status(house) == {
            "install": "active", "free-trial": "active", "see-recipes": "active",
            "listed": "removed",
        }  # fmt: skip


def test_the_door_refuses_what_cannot_be(shared: House) -> None:
    assert shared.post(DOOR, "").status_code == 409
    assert shared.post("/v1/experiments/nope/candidates/refresh", "").status_code == 404


def test_the_door_refuses_what_it_does_not_know(table: Path) -> None:
    with a_house(table.with_name("croupier.db"), toml(table)) as house:
        assert house.post(DOOR, "{").status_code == 422
        assert house.post(DOOR, {"dry": True}).status_code == 422


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('source = "arms.csv"', 'source = "ftp://x/y"'), "candidates.source: expected a CSV"),
        (('source = "arms.csv"', 'source = "sqlite:///x.db"'), "candidates.source: expected a CSV"),
        (('source = "arms.csv"', 'source = "http://a:b@x/y"'), "no password in the address"),
        (('source = "arms.csv"', 'sauce = "arms.csv"'), "sauce: unknown key .did you mean source"),
        (("schedule = 1", 'schedule = "25:00"'), "candidates.schedule: expected an interval"),
        (("schedule = 1", "most = 2.0"), "candidates.most: expected a share"),
        (("schedule = 1", 'arms = ["x"]'), "arms: unknown key"),
        (('active = "active"', 'activ = "x"'), "columns: activ: unknown key"),
    ],
)
def test_a_wrong_declaration_is_refused(change: tuple[str, str], problem: str) -> None:
    text = toml("arms.csv", "schedule = 1\n").replace(*change).replace("schedule = 1\n", "")
    with pytest.raises(ConfigError, match=problem):
        parse_settings(text)


def test_arms_and_candidates_are_one_too_many() -> None:
    with pytest.raises(ConfigError, match="arms or candidates, not both"):
        parse_settings(TOP_BUTTON + '[experiment.candidates]\nsource = "arms.csv"\n')
