"""The batch doors: right rows are kept, wrong ones named, and nothing counts twice."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.apps.serve.routes import door_of
from tests.apps.house import NAME, TOP_BUTTON, House, a_house, arms

REWARDS = f"/v1/experiments/{NAME}/import"
ARMS = f"/v1/experiments/{NAME}/arms/import"
AMOUNTS = TOP_BUTTON.replace(
    "{ click = 1.0 }", '{ click = 0.5, buy = { weight = 0.01, of = "value", max = 250 } }'
)
HOUR = 3_600_000


def rewards(house: House, *rows: Any, key: str = "k", dry: bool = False) -> dict[str, Any]:
    answer = house.post(REWARDS + "?dry_run=true" * dry, list(rows), **{"idempotency-key": key})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def a_row(arm: str = "install", n: int = 1000, reward_sum: float = 41, **more: Any) -> Any:
    return {"arm": arm, "n": n, "reward_sum": reward_sum} | more


def counted(told: dict[str, Any]) -> tuple[int, int, int]:
    return told["accepted"], told["duplicate"], len(told["rejected"])


def learned(house: House) -> dict[str, tuple[int, float]]:
    return {
        name: (arm["n"], arm["reward_sum"]) for name, arm in arms(house.page()).items() if arm["n"]
    }


def test_past_trials_train_and_are_on_the_page_at_once(house: House) -> None:
    told = rewards(house, a_row(), a_row("free-trial", 500, 80), a_row("see-recipes", 500, 9))
    assert (counted(told), told["learned"]) == ((3, 0, 0), True)
    assert learned(house) == {
        "install": (1000, 41.0), "free-trial": (500, 80.0), "see-recipes": (500, 9.0),
    }  # fmt: skip
    assert house.page()["imported"] == 2000
    assert house.page()["observations"] == 0
    house.later(11_000)
    page = house.until(lambda page: page["version"] == 2)
    assert arms(page)["free-trial"]["weight"] > 0.5 > arms(page)["install"]["weight"]
    assert house.metric("croupier_imported_total", experiment=NAME) == 2000


def test_a_repetition_has_no_effect(house: House) -> None:
    rows = [a_row(), a_row(at="2026-01-01"), a_row(propensity=0.5)]
    assert counted(rewards(house, *rows)) == (3, 0, 0)
    before = house.embedded.backends.states.load()
    assert counted(rewards(house, *reversed(rows), rows[0])) == (0, 4, 0)
    assert house.embedded.backends.states.load().sums == before.sums
    assert counted(rewards(house, *rows, key="other")) == (3, 0, 0), "another key adds"
    assert learned(house) == {"install": (6000, 246.0)}


def test_a_corrected_file_adds_the_mended_rows_only(house: House) -> None:
    """Rows may be mended, taken out, put in and moved; what was kept before stays."""
    wrong = [a_row(), a_row("instal"), a_row("free-trial", 10, 11), a_row("see-recipes", 5, 1)]
    told = rewards(house, *wrong)
    assert counted(told) == (2, 0, 2)
    assert [(each["row"], each["column"]) for each in told["rejected"]] == [
        (2, "arm"), (3, "reward_sum"),
    ]  # fmt: skip
    mended = [a_row("see-recipes", 5, 1), a_row("free-trial", 10, 1), a_row()]
    assert counted(rewards(house, *mended)) == (1, 2, 0)
    assert learned(house) == {
        "install": (1000, 41.0), "free-trial": (10, 1.0), "see-recipes": (5, 1.0),
    }  # fmt: skip


def test_a_row_that_was_added_is_not_added_again_with_other_numbers(house: House) -> None:
    assert counted(rewards(house, a_row())) == (1, 0, 0)
    told = rewards(house, a_row(n=1001), a_row("free-trial", 2, 1), a_row("free-trial", 3, 1))
    assert counted(told) == (1, 0, 2)
    assert [each["row"] for each in told["rejected"]] == [1, 3]
    assert "under this key with other numbers" in told["rejected"][0]["reason"]
    assert learned(house) == {"install": (1000, 41.0), "free-trial": (2, 1.0)}


def test_a_dry_run_shows_the_difference_and_changes_nothing(house: House) -> None:
    rewards(house, a_row())
    rows = [a_row(), a_row(n=1000, reward_sum=59, at="2026-01-01"), a_row("nope")]
    ends = house.embedded.backends.log.ends("observations")
    told = rewards(house, *rows, dry=True)
    assert (counted(told), told["dry_run"]) == ((1, 1, 1), True)
    assert told["arms"] == [
        {
            "arm": "install",
            "n_before": 1000,
            "n_after": 2000,
            "mean_before": 0.041,
            "mean_after": 0.05,
        }
    ]
    assert house.embedded.backends.log.ends("observations") == ends
    real = rewards(house, *rows)
    assert real["arms"] == told["arms"]
    assert learned(house) == {"install": (2000, 100.0)}


def test_the_period_is_that_of_the_row(house: House) -> None:
    now = house.clock.now()
    told = rewards(
        house,
        a_row(at=now - 5 * HOUR),
        a_row(at="2026-01-01T10:30:00+01:00"),
        a_row("free-trial"),
        a_row("see-recipes", at=now + 10 * HOUR),
        a_row("see-recipes", at=-1),
        a_row("see-recipes", at="yesterday"),
    )
    assert [(each["row"], each["column"]) for each in told["rejected"]] == [
        (4, "at"), (5, "at"), (6, "at"),
    ]  # fmt: skip
    sums = house.embedded.backends.states.load(NAME).sums
    assert {(key.arm, key.period) for key in sums} == {
        (0, (now - 5 * HOUR) // HOUR * HOUR),
        (0, 1_767_258_000_000 // HOUR * HOUR),
        (1, now // HOUR * HOUR),
    }


def test_amounts_need_the_sum_of_their_squares(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", AMOUNTS) as house:
        told = rewards(house, a_row(n=10, reward_sum=12.5))
        assert "reward_square_sum" in told["rejected"][0]["column"]
        told = rewards(house, a_row(n=10, reward_sum=12.5, reward_square_sum=20.25))
        assert counted(told) == (1, 0, 0)
        (sums,) = set(house.embedded.backends.states.load(NAME).sums.values())
        assert (sums.n, sums.r, sums.r2) == (10, 12_500_000, 20_250_000_000_000)


def test_a_propensity_weighs_each_trial(house: House) -> None:
    rewards(house, a_row(n=10, reward_sum=4, propensity=0.25))
    (sums,) = set(house.embedded.backends.states.load(NAME).sums.values())
    assert (sums.w, sums.w2, sums.wr) == (40 * 10**6, 160 * 10**12, 16 * 10**12)


def test_imports_take_an_admin_key() -> None:
    for path in (REWARDS, ARMS):
        assert door_of("POST", path) == ("admin", NAME)


# --- bodies ---------------------------------------------------------------------------------------


def test_csv_is_read_and_its_bad_rows_named(house: House) -> None:
    text = (
        "\ufeffarm,n,reward_sum,at\r\ninstall,1000,41,\r\n\r\n"
        "free-trial,ten,1,\r\nsee-recipes,10\r\nsee-recipes,10,1,,5\r\nsee-recipes,10,1,2026-01-01\r\n"
    )
    headers = {"idempotency-key": "k", "content-type": "text/csv; charset=utf-8"}
    told = house.post(REWARDS, text.encode(), **headers).json()
    assert counted(told) == (2, 0, 3)
    assert [(each["row"], each["column"]) for each in told["rejected"]] == [
        (2, "n"), (3, "reward_sum"), (4, ""),
    ]  # fmt: skip
    assert learned(house) == {"install": (1000, 41.0), "see-recipes": (10, 1.0)}


@pytest.mark.parametrize(
    ("body", "media", "said"),
    [
        ("nonsense", "application/json", "not JSON"),
        ("{}", "application/json", "expected a JSON array"),
        ("[" * 5000, "application/json", "JSON"),
        ("arm,n\ninstall,1\n", "text/csv", "missing: reward_sum"),
        ("arm,n,reward_sum,colour\n", "text/csv", "unknown: colour"),
        ("arm,n,n,reward_sum\n", "text/csv", "there twice: n"),
        ("", "text/csv", "the first line"),
        (b"arm,n,reward_sum\n\xff,1,1\n", "text/csv", "not UTF-8"),
        ('arm,n,reward_sum\n"install,1,1\n', "text/csv", "not CSV"),
        (json.dumps([a_row()] * 10_001), "application/json", "at most 10000 rows"),
    ],
)
def test_a_body_that_is_none_is_refused_whole(
    shared: House, body: Any, media: str, said: str
) -> None:
    headers = {"idempotency-key": "k", "content-type": media}
    answer = shared.post(REWARDS, body, **headers)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_a_body_that_is_too_large_is_refused(shared: House) -> None:
    for path in (REWARDS, ARMS):
        answer = shared.post(path, b" " * 1_048_577, **{"idempotency-key": "k"})
        assert answer.status_code == 413
        assert "at most 1048576 bytes" in answer.json()["error"]


def test_what_a_request_lacks_is_said(shared: House) -> None:
    assert "idempotency-key" in shared.post(REWARDS, []).json()["error"]
    for key in ("", "k" * 201):
        assert shared.post(REWARDS, [], **{"idempotency-key": key}).status_code == 422
    assert (
        shared.post(REWARDS + "?dry_run=perhaps", [], **{"idempotency-key": "k"}).status_code == 422
    )
    elsewhere = REWARDS.replace(NAME, "nope")
    assert shared.post(elsewhere, [], **{"idempotency-key": "k"}).status_code == 404
    told = rewards(shared, a_row(experiment="banner"), dry=True)
    assert told["rejected"][0]["column"] == "experiment"


ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([10**30, 2**63, -(2**63), "9" * 400, "", "nan", "1e999999999", [], {}])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
)  # fmt: skip
NUMBERS = ("reward_sum", "reward_square_sum", "at", "slot", "propensity", "colour")
ROWS = st.fixed_dictionaries(
    {"arm": st.just("install") | ANYTHING, "n": st.integers(1, 9) | ANYTHING},
    optional=dict.fromkeys(NUMBERS, ANYTHING),
)


@given(rows=st.lists(ROWS | ANYTHING, max_size=6))
def test_any_rows_are_answered(house_of_all: House, rows: list[Any]) -> None:
    told = rewards(house_of_all, *rows, dry=True)
    assert sum(counted(told)) == len(rows)
    assert all(each["reason"] for each in told["rejected"])
    states = house_of_all.post(ARMS + "?dry_run=true", rows).json()
    assert sum(counted(states)) == len(rows)


def test_a_log_that_cannot_be_written_is_said_and_the_repetition_counts_once(house: House) -> None:
    house.do("PRAGMA query_only = ON")
    answer = house.post(REWARDS, [a_row()], **{"idempotency-key": "k"})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    house.do("PRAGMA query_only = OFF")
    assert rewards(house, a_row())["accepted"] + rewards(house, a_row())["duplicate"] == 2
    assert learned(house) == {"install": (1000, 41.0)}


# --- arms -----------------------------------------------------------------------------------------


def states(house: House) -> dict[str, str]:
    return {name: arm["status"] for name, arm in arms(house.page()).items()}


def test_master_data_of_arms_is_one_change_with_a_name(house: House) -> None:
    rows = [
        {"arm": "install", "status": "paused"},
        {"arm": "see-recipes", "status": "removed"},
        {"arm": "start-now"},
        {"arm": "later", "status": "paused"},
        {"arm": "free-trial", "status": "active"},
        {"arm": "nope", "status": "removed"},
        {"arm": "start-now", "status": "removed"},
        {"arm": "x", "status": "asleep"},
    ]
    dry = house.post(f"{ARMS}?dry_run=true&by=ana", rows).json()
    assert set(states(house).values()) == {"active"}
    told = house.post(f"{ARMS}?by=ana", rows).json()
    assert told["arms"] == dry["arms"]
    assert counted(told) == (4, 1, 3)
    assert [each["row"] for each in told["rejected"]] == [6, 7, 8]
    assert states(house) == {
        "install": "paused", "free-trial": "active", "see-recipes": "removed",
        "start-now": "active", "later": "paused",
    }  # fmt: skip
    history = house.client.get(f"/v1/experiments/{NAME}/arms").json()
    assert [each["version"] for each in history] == [1, 2]
    assert history[-1]["by"] == "ana"
    assert history[-1]["change"] == "import: 2 added, 1 paused, 1 removed"
    again = house.post(ARMS, rows[:5]).json()
    assert (counted(again), again["version"]) == ((0, 5, 0), 2)


def test_the_last_arm_stays_and_the_default_too(house: House) -> None:
    rows = [{"arm": name, "status": "removed"} for name in states(house)]
    told = house.post(ARMS, rows).json()
    assert [each["reason"] for each in told["rejected"]] == [
        "'install' is the default: declare another one first"
    ]
    told = house.post(ARMS, [{"arm": "install", "status": "paused"}]).json()
    assert "last active arm" in told["rejected"][0]["reason"]
