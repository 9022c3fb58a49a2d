"""Arms at run time: through the door, into the next snapshot, over a restart."""

import time
from typing import Any

import pytest

from tests.apps.house import MINUTE, NAME, SINGLE, TOP_BUTTON, House, arms

DOOR = f"/v1/experiments/{NAME}/arms"


def change(house: House, what: str, arm: str = "", **more: Any) -> dict[str, Any]:
    """Make a change, and wait until a snapshot has it; one that was due anyway may come before."""
    version = house.page()["version"]
    answer = house.post(DOOR, {"change": what, "arm": arm} | more)
    assert answer.status_code == 200, answer.text
    deadline = time.monotonic() + 5
    while house.page()["version"] == version or not house.up_to_date():
        assert time.monotonic() < deadline, "no new snapshot"
        time.sleep(0.005)
    page: dict[str, Any] = answer.json()
    return page


def shown(house: House, units: int = 60) -> set[str]:
    return {house.decide(f"u-{number}")["slate"][0]["arm"] for number in range(units)}


def test_a_new_arm_is_drawn_from_the_prior_on(house: House) -> None:
    change(house, "put", "start-now", by="ana")
    page = arms(house.page())
    assert page["start-now"]["weight"] == pytest.approx(0.25)
    assert "start-now" in shown(house)


def test_a_paused_arm_is_not_drawn_and_comes_back_with_its_past(house: House) -> None:
    decision = house.trial("u", "click", eligible=["install"])
    house.settle()
    change(house, "pause", "install")
    assert arms(house.page())["install"] | {"weight": 0} == {
        "arm": "install", "status": "paused", "weight": 0, "n": 1, "reward_sum": 1.0, "mean": 1.0,
    }  # fmt: skip
    assert "install" not in shown(house)
    assert decision["slate"][0]["arm"] == "install"
    change(house, "resume", "install")
    assert arms(house.page())["install"]["weight"] > 1 / 3


def test_an_open_story_of_a_removed_arm_still_counts_for_it(house: House) -> None:
    house.trial("u", "click", eligible=["see-recipes"])
    change(house, "remove", "see-recipes")
    page = arms(house.settle())["see-recipes"]
    assert (page["status"], page["weight"], page["n"], page["reward_sum"]) == ("removed", 0, 1, 1.0)
    assert "see-recipes" not in shown(house)


def test_a_pinned_arm_is_shown_to_all_and_trains_nothing(house: House) -> None:
    change(house, "pin", "free-trial")
    assert house.page()["pinned"] == "free-trial"
    decision = house.trial("u", "click")
    assert (decision["reason"], decision["slate"]) == (
        "pinned",
        [{"arm": "free-trial", "slot": 0, "propensity": 1.0}],
    )
    assert house.decide(exclude=["free-trial"])["reason"] == "policy"
    page = house.settle()
    assert (page["observations"], page["not_learned_by"]["pinned"]) == (0, 1)
    change(house, "unpin")
    assert house.decide()["reason"] == "policy"


def test_a_pin_ends_by_itself(house: House) -> None:
    change(house, "pin", "free-trial", until="5m")
    assert house.decide()["reason"] == "pinned"
    house.later(5 * MINUTE)
    assert house.decide()["reason"] == "policy"
    assert house.page()["pinned"] is None


def test_the_history_says_who_did_what(house: House) -> None:
    change(house, "put", "start-now", by="ana")
    change(house, "pause", "install")
    pages = house.client.get(DOOR).json()
    assert [(page["version"], page["by"], page["change"]) for page in pages] == [
        (1, "config", "declared"),
        (2, "ana", "put start-now"),
        (3, "api", "pause install"),
    ]


def test_what_changes_nothing_is_no_version(house: House) -> None:
    assert house.post(DOOR, {"change": "put", "arm": "install"}).json()["version"] == 1
    assert len(house.client.get(DOOR).json()) == 1


def test_a_restart_keeps_what_was_done_and_a_file_changes_only_what_it_changes(
    house: House,
) -> None:
    change(house, "put", "start-now")
    change(house, "pause", "install")
    house.reopen(TOP_BUTTON)
    found = {arm["arm"]: arm["status"] for arm in house.page()["arms"]}
    assert (found["start-now"], found["install"]) == ("active", "paused")
    house.reopen(TOP_BUTTON.replace(', "see-recipes"', ', "brand-new"'))
    found = {arm["arm"]: arm["status"] for arm in house.page()["arms"]}
    assert found == {
        "install": "paused", "free-trial": "active", "see-recipes": "removed",
        "start-now": "active", "brand-new": "active",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"change": "pause", "arm": "buy"}, 409, "'buy' is not an arm"),
        ({"change": "remove", "arm": "install"}, 409, "'install' is the default"),
        ({"change": "pin", "arm": "install", "until": "soon"}, 409, "until: expected a duration"),
        ({"change": "pin", "arm": "install", "until": 5}, 409, "a time to come"),
        ({"change": "put", "arm": "x", "until": "2h"}, 409, "until goes with pin"),
        ({"change": "put", "arm": ""}, 409, "printable characters"),
        ({"change": "drop", "arm": "install"}, 422, "drop"),
        ({"arm": "install"}, 422, "change"),
        ({"change": "put", "arm": "x", "why": 1}, 422, "why"),
        ("{", 422, "truncated"),
    ],
)
def test_a_change_that_cannot_be_is_refused(
    shared: House, body: Any, status: int, reason: str
) -> None:
    answer = shared.post(DOOR, body)
    assert answer.status_code == status
    assert reason in answer.json()["error"]
    assert len(shared.client.get(DOOR).json()) == 1


def test_an_unknown_experiment_has_no_arms(shared: House) -> None:
    assert shared.client.get("/v1/experiments/nope/arms").status_code == 404
    put = {"change": "put", "arm": "x"}
    assert shared.post("/v1/experiments/nope/arms", put).status_code == 404


def test_a_change_waits_for_the_log_and_is_refused_without_it(house: House) -> None:
    house.reopen(SINGLE)
    house.do("PRAGMA query_only = ON")
    answer = house.post(DOOR, {"change": "put", "arm": "x"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    house.do("PRAGMA query_only = OFF")
    assert "x" not in arms(house.page())
    change(house, "put", "x")
