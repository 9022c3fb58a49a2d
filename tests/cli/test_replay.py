"""croupier replay: checks the sums against the log, mends them, fills a new reward version."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.apps.house import NAME, SINGLE, TOP_BUTTON, a_house
from tests.cli.command import CommandLine, Outcome

RICHER = SINGLE.replace("click = 1.0", "click = 1.0, enrol = 5.0")
GUARDRAIL = """
[experiment.guardrail.leave]
reward = {{ leave = {} }}
margin = 0.5
"""
SURROGATE = """
surrogate.click = { mean = 0.2, covariance = { click = 0.01 } }
"""
BANNER = TOP_BUTTON.replace(NAME, "banner")


def run(croupier: CommandLine, shop: Path, *words: object) -> Outcome:
    return croupier("replay", "--data", shop / "croupier.db", *words)


def tamper(shop: Path, sql: str) -> None:
    with sqlite3.connect(shop / "croupier.db") as connection:
        connection.execute(sql)
    connection.close()


def stored(shop: Path) -> dict[tuple[str, int], tuple[int, int]]:
    """Trials and reward, by experiment and reward version."""
    from croupier.config.backends import open_backends

    found: dict[tuple[str, int], tuple[int, int]] = {}
    backends = open_backends(shop / "croupier.db", read_only=True)
    for key, sums in backends.states.load().sums.items():
        place = key.experiment, key.reward_version
        n, r = found.get(place, (0, 0))
        found[place] = n + sums.n, r + sums.r
    return found


def trials_of(shop: Path, begin: str) -> dict[tuple[int, str], int]:
    """Trials by reward version and stratum, of the strata that begin so."""
    from croupier.config.backends import open_backends

    found: dict[tuple[int, str], int] = {}
    for key, sums in open_backends(shop / "croupier.db", read_only=True).states.load().sums.items():
        if key.stratum.startswith(begin):
            place = key.reward_version, key.stratum
            found[place] = found.get(place, 0) + sums.n
    return found


def test_right_sums_are_found_right(croupier: CommandLine, shop: Path) -> None:
    found = run(croupier, shop)
    assert found.code == 0
    assert "the stored sums are what the log says" in found.out
    as_json = run(croupier, shop, "--json")
    assert (as_json.code, as_json.err) == (0, "")
    told = as_json.json()
    assert told.pop("entries") > 0
    assert told == {"whole": True, "written": False, "differences": []}


def test_it_may_run_beside_the_server(croupier: CommandLine, shop: Path) -> None:
    with a_house(shop / "croupier.db", SINGLE) as house:
        house.trial("v")
        assert run(croupier, shop).code == 0
        found = run(croupier, shop, "--write")
        assert found.code == 2
        assert "in use by another croupier process" in found.err


def test_tampered_sums_are_found_and_mended(croupier: CommandLine, shop: Path) -> None:
    before = stored(shop)
    tamper(shop, "DELETE FROM sums WHERE arm = (SELECT min(arm) FROM sums)")
    found = run(croupier, shop)
    assert found.code == 1
    assert f"{NAME} arm " in found.out
    told: dict[str, Any] = run(croupier, shop, "--json").json()
    (difference,) = told["differences"]
    assert difference["experiment"] == NAME
    assert difference["stored"]["n"] == 0 < difference["rebuilt"]["n"]
    assert run(croupier, shop).code == 1, "without --write nothing changes"
    mended = run(croupier, shop, "--write")
    assert (mended.code, "1 sums differed and were written" in mended.out) == (0, True)
    assert run(croupier, shop).code == 0
    assert stored(shop) == before


def test_the_server_goes_on_from_mended_sums(croupier: CommandLine, shop: Path) -> None:
    tamper(shop, "DELETE FROM sums")
    run(croupier, shop, "--write")
    with a_house(shop / "croupier.db", SINGLE) as house:
        house.trial("v", "click")
        page = house.settle()
        assert sum(arm["n"] for arm in page["arms"]) == page["observations"] == 11


def test_a_new_reward_version_is_filled_from_the_past(croupier: CommandLine, shop: Path) -> None:
    assert stored(shop) == {(NAME, 1): (10, 5_000_000)}
    (shop / "croupier.toml").write_text(RICHER)
    found = run(croupier, shop, "--config", shop / "croupier.toml", "--new-reward", "--write")
    assert found.code == 0
    assert stored(shop) == {(NAME, 1): (10, 5_000_000), (NAME, 2): (10, 30_000_000)}
    again = run(croupier, shop, "--new-reward")
    assert (again.code, "nothing to fill" in again.out) == (0, True)
    with a_house(shop / "croupier.db", RICHER) as house:
        page = house.page()
        assert page["reward_version"] == 2
        assert sum(arm["n"] for arm in page["arms"]) == 10
        assert sum(arm["reward_sum"] for arm in page["arms"]) == 30
        house.trial("v", "enrol")
        assert sum(arm["reward_sum"] for arm in house.settle()["arms"]) == 35


def test_a_dry_run_shows_what_filling_would_add_and_writes_nothing(
    croupier: CommandLine, shop: Path
) -> None:
    (shop / "croupier.toml").write_text(RICHER)
    words = ("--config", shop / "croupier.toml", "--new-reward")
    before = stored(shop)
    with a_house(shop / "croupier.db", SINGLE):
        dry = run(croupier, shop, *words)
        as_json = run(croupier, shop, *words, "--json")
    assert (dry.code, as_json.code) == (1, 1)
    assert "sums would be added: --write does it" in dry.out
    would = as_json.json()
    assert would["written"] is False
    declared = croupier("log", "--data", shop / "croupier.db", "--topic", "arms").out
    assert "reward version 2" not in declared
    assert stored(shop) == before
    done = run(croupier, shop, *words, "--write", "--json")
    assert done.json()["differences"] == would["differences"]


def test_filling_twice_is_the_same_as_once(croupier: CommandLine, shop: Path) -> None:
    (shop / "croupier.toml").write_text(RICHER)
    words = ("--config", shop / "croupier.toml", "--new-reward", "--write")
    run(croupier, shop, *words)
    once = stored(shop)
    run(croupier, shop, *words)
    assert stored(shop) == once


def test_filled_sums_are_not_taken_for_tampered_ones(croupier: CommandLine, shop: Path) -> None:
    (shop / "croupier.toml").write_text(RICHER)
    run(croupier, shop, "--config", shop / "croupier.toml", "--new-reward", "--write")
    assert run(croupier, shop).code == 0


def test_filling_one_experiment_erases_nothing_of_its_own_past(
    croupier: CommandLine, shop: Path
) -> None:
    (shop / "croupier.toml").write_text(RICHER + BANNER)
    run(croupier, shop, "--config", shop / "croupier.toml", "--new-reward", "--write")
    assert stored(shop)[NAME, 1] == (10, 5_000_000)


def test_filling_from_a_trimmed_log_takes_nothing_away(croupier: CommandLine, shop: Path) -> None:
    with a_house(shop / "croupier.db", RICHER) as house:
        for number in range(4):
            house.trial(f"w-{number}", "enrol")
        house.settle()
    before = stored(shop)
    assert before[NAME, 2] == (4, 20_000_000)
    tamper(shop, "DELETE FROM log_events WHERE offset <= (SELECT max(offset) FROM log_events)")
    run(croupier, shop, "--new-reward", "--write")
    assert stored(shop) == before


def test_a_trimmed_log_mends_nothing(croupier: CommandLine, shop: Path) -> None:
    tamper(shop, "DELETE FROM log_events WHERE offset <= 3")
    before = stored(shop)
    assert "the first were trimmed" in run(croupier, shop).out
    found = run(croupier, shop, "--write")
    assert found.code == 2
    assert "trimmed" in found.err
    assert stored(shop) == before


def archived_and_trimmed(croupier: CommandLine, shop: Path) -> dict[tuple[str, int], Any]:
    """Everything archived, all but the newest dropped from the log; the sums, which are left."""
    words = ("--out", shop / "kept", "--what", "entries", "--json")
    told = croupier("export", "--data", shop / "croupier.db", *words).json()
    assert told["rows"]["entries"] > 10
    for topic in ("events", "funnels", "observations"):
        newest = f"(SELECT max(offset) FROM log_{topic})"
        tamper(shop, f"DELETE FROM log_{topic} WHERE offset < {newest}")
    return stored(shop)


def test_what_was_trimmed_is_read_from_the_archive(croupier: CommandLine, shop: Path) -> None:
    before = archived_and_trimmed(croupier, shop)
    assert "--archive DIR" in run(croupier, shop).out
    found = run(croupier, shop, "--archive", shop / "kept")
    assert (found.code, "trimmed" in found.out) == (0, False)
    assert "the stored sums are what the log says" in found.out
    tamper(shop, "DELETE FROM sums WHERE arm = (SELECT min(arm) FROM sums)")
    assert run(croupier, shop, "--archive", shop / "kept").code == 1
    refused = run(croupier, shop, "--write")
    assert (refused.code, "--archive DIR" in refused.err) == (2, True)
    mended = run(croupier, shop, "--archive", shop / "kept", "--write")
    assert (mended.code, "1 sums differed and were written" in mended.out) == (0, True)
    assert stored(shop) == before


def test_a_new_reward_is_filled_from_the_archive(croupier: CommandLine, shop: Path) -> None:
    archived_and_trimmed(croupier, shop)
    (shop / "croupier.toml").write_text(RICHER)
    words = ("--config", shop / "croupier.toml", "--new-reward", "--archive", shop / "kept")
    dry = run(croupier, shop, *words)
    assert (dry.code, "would be added" in dry.out) == (1, True)
    assert run(croupier, shop, *words, "--write").code == 0
    assert stored(shop) == {(NAME, 1): (10, 5_000_000), (NAME, 2): (10, 30_000_000)}
    assert run(croupier, shop, "--archive", shop / "kept").code == 0
    with a_house(shop / "croupier.db", RICHER) as house:
        house.trial("v", "enrol")
        assert sum(arm["reward_sum"] for arm in house.settle()["arms"]) == 35
    assert run(croupier, shop, "--archive", shop / "kept").code == 0


def test_an_archive_that_cannot_be_read_changes_nothing(croupier: CommandLine, shop: Path) -> None:
    before = archived_and_trimmed(croupier, shop)
    (shop / "croupier.toml").write_text(RICHER)
    words = ("--config", shop / "croupier.toml", "--new-reward", "--write", "--archive")
    (nothing, damaged) = (run(croupier, shop, *words, shop / "elsewhere"), shop / "kept")
    assert (nothing.code, "no archive" in nothing.err) == (2, True)
    (shop / "begun" / "entries").mkdir(parents=True)
    short = run(croupier, shop, *words, shop / "begun")
    assert (short.code, "begun does not hold them" in short.err) == (2, True)
    (path,) = damaged.rglob("events.parquet")
    path.write_bytes(path.read_bytes()[:-9])
    found = run(croupier, shop, *words, damaged)
    assert (found.code, len(found.err.splitlines()), str(path) in found.err) == (2, 1, True)
    assert stored(shop) == before
    declared = croupier("log", "--data", shop / "croupier.db", "--topic", "arms").out
    assert "reward version 2" not in declared


def test_what_was_trimmed_whole_mends_nothing(croupier: CommandLine, shop: Path) -> None:
    tamper(shop, "DELETE FROM log_events")
    before = stored(shop)
    assert run(croupier, shop, "--json").json()["whole"] is False
    assert run(croupier, shop, "--write").code == 2
    assert stored(shop) == before


@pytest.mark.parametrize(
    ("content", "said"), [(None, "no such data file"), ("text, no database", "not a database")]
)
def test_what_is_no_data_file_is_refused(
    croupier: CommandLine, tmp_path: Path, content: str | None, said: str
) -> None:
    if content:
        (tmp_path / "croupier.db").write_text(content)
    for words in ((), ("--json",)):
        found = run(croupier, tmp_path, *words)
        assert (found.code, found.out, len(found.err.splitlines())) == (2, "", 1)
        assert said in found.err


@pytest.mark.parametrize("more", ["", SURROGATE], ids=["plain", "surrogate"])
@pytest.mark.parametrize("sticky", ["session", "unit"])
def test_a_guardrail_changed_after_a_refill_leaves_what_was_added(
    croupier: CommandLine, tmp_path: Path, sticky: str, more: str
) -> None:
    """Load; another reward; refill; go on; measure the guardrail otherwise; go on."""
    data = tmp_path / "croupier.db"
    plain = SINGLE.replace('sticky = "session"', f'sticky = "{sticky}"')
    richer = plain.replace("click = 1.0", "click = 1.0, enrol = 5.0") + more
    stages = ((plain, 1.0), (richer, 1.0), (richer, 2.0))
    for toml, worth in stages:
        (tmp_path / "croupier.toml").write_text(toml + GUARDRAIL.format(worth))
        if toml != plain:
            config = ("--config", tmp_path / "croupier.toml")
            assert run(croupier, tmp_path, *config, "--new-reward", "--write").code == 0
        with a_house(data, toml + GUARDRAIL.format(worth)) as house:
            for number in range(6):
                house.trial(f"u-{number}", "click", "leave")
            house.settle()
        assert run(croupier, tmp_path).code == 0
    assert sorted(trials_of(tmp_path, "policy:leave:").values()) == [6, 6, 12]
    assert sum(trials_of(tmp_path, "policy:click:signal").values()) == (18 if more else 0)


def test_sums_by_group_of_units_are_counted_in_one_line(
    croupier: CommandLine, tmp_path: Path
) -> None:
    toml = SINGLE.replace('sticky = "session"', 'sticky = "unit"')
    with a_house(tmp_path / "croupier.db", toml) as house:
        for number in range(30):
            house.trial(f"u-{number}", "click")
        house.settle()
    (tmp_path / "croupier.toml").write_text(toml.replace("click = 1.0", "click = 1.0, buy = 2.0"))
    words = ("--config", tmp_path / "croupier.toml", "--new-reward", "--write")
    _, *lines, groups, verdict = run(croupier, tmp_path, *words).out.strip().splitlines()
    assert lines
    assert not [line for line in lines if "group." in line]
    count = int(groups.split()[1])
    assert groups == f"and {count} sums by group of units, which --json lists"
    assert verdict == f"{len(lines) + count} sums were added"


def test_what_an_older_version_did_not_keep_is_told_so_and_added(
    croupier: CommandLine, tmp_path: Path
) -> None:
    with a_house(
        tmp_path / "croupier.db", SINGLE.replace('sticky = "session"', 'sticky = "unit"')
    ) as house:
        house.trial("u", "click")
        house.settle()
    tamper(tmp_path, "DELETE FROM sums WHERE stratum LIKE 'group.%'")
    found = run(croupier, tmp_path)
    told = "1 sums differed, all of kinds that an older Croupier did not keep: --write adds them"
    assert (found.code, found.out.strip().splitlines()[-1]) == (1, told)
    assert run(croupier, tmp_path, "--write").code == 0
    assert run(croupier, tmp_path).code == 0
