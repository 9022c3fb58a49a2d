"""Decisions made elsewhere, by their plain fields: one story, however they come."""

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from tests.apps.guarded import GUARDED, KEYS, NARROW, as_admin, bearer
from tests.apps.house import NAME, SINGLE, House, a_house, arms

EVENTS = "/v1/events"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house with keys, for tests that leave no trace but counts."""
    with a_house(tmp_path_factory.mktemp("plain") / "croupier.db", GUARDED) as house:
        house.later(1_000)
        yield house


def plain(house: House, **changes: Any) -> dict[str, Any]:
    """An impression of a decision that somebody else made."""
    return {
        "kind": "impression",
        "experiment": NAME,
        "tracking_id": "request-1",
        "decided_at": house.clock.now() - 100,
        "unit": "u-9",
        "slate": ["free-trial"],
        "propensities": [0.25],
    } | changes


def send(house: House, *events: Any, key: str = KEYS["ingest"]) -> dict[str, Any]:
    answer = house.post(EVENTS, list(events), **bearer(key))
    assert answer.status_code == 202, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_it_is_learned_as_if_we_had_decided(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", GUARDED) as house:
        house.later(1_000)
        seen = plain(house)
        assert send(house, seen, seen | {"kind": "click"})["accepted"] == 2
        as_admin(house)
        page = arms(house.settle())["free-trial"]
        assert (page["n"], page["reward_sum"]) == (1, 1.0)
        (key, sums), = house.embedded.backends.states.load(NAME).sums.items()  # fmt: skip
        assert (key.stratum, sums.w) == ("policy", 4_000_000)


def test_any_order_and_repetition_and_a_restart_make_the_same_story(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", GUARDED) as house:
        house.later(1_000)
        at = house.clock.now() - 100
        stories = [
            plain(house, tracking_id=f"r-{n}", unit=f"u-{n}", decided_at=at) for n in range(6)
        ]
        for story, order in zip(stories, permutations(range(3)), strict=True):
            parts = [story, story | {"kind": "click"}, story | {"kind": "click", "at": at}]
            for part in order:
                send(house, parts[part], parts[part])
            house.reopen(GUARDED.replace("floor = 0.01", f"floor = 0.0{order[0] + 2}"))
        as_admin(house)
        page = house.settle()
        assert (page["observations"], page["late"]) == (6, 0)
        assert arms(page)["free-trial"]["reward_sum"] == 6


def test_what_differs_in_any_field_is_another_story(tmp_path: Path) -> None:
    """So that a slate stated in two ways can never meet in one."""
    with a_house(tmp_path / "croupier.db", GUARDED) as house:
        house.later(1_000)
        one = plain(house)
        others: list[dict[str, Any]] = [
            {"tracking_id": "request-2"},
            {"slate": ["install"]},
            {"propensities": [0.5]},
            {"unit": "another"},
            {"reason": "holdout"},
            {"version": 7},
            {"decided_at": one["decided_at"] - 1},
        ]
        assert send(house, one, *(one | other for other in others))["accepted"] == 8
        as_admin(house)
        assert house.until(lambda page: page["open"] >= 8)["open"] == 8
        house.settle()


def test_a_story_of_a_token_cannot_be_touched(guarded: House) -> None:
    decided = guarded.post(
        f"/v1/experiments/{NAME}/decide", {"unit": "u"}, **bearer(KEYS["decide"])
    ).json()
    at = int(decided["tracking_id"][:12], 16)
    for text in (decided["tracking_id"], decided["tracking_id"].upper()):
        answer = send(guarded, plain(guarded, tracking_id=text, decided_at=at))
        assert "send the token" in answer["rejected"][0]["reason"]
    answer = send(
        guarded, {"kind": "click", "experiment": NAME, "tracking_id": decided["tracking_id"]}
    )
    assert "needs all fields of its decision" in answer["rejected"][0]["reason"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"experiment": "nothing"}, "no experiment 'nothing' is declared"),
        ({"slate": ["buy"]}, "'buy' is not an arm"),
        ({"slate": []}, "slate"),
        ({"slate": ["install", "free-trial"], "propensities": [0.5, 0.5]}, "at most 1 arm"),
        ({"propensities": [0.5, 0.5]}, "a share from 1e-06 to 1"),
        ({"propensities": [0]}, "a share"),
        ({"propensities": [1.5]}, "a share"),
        ({"propensities": [1e-9]}, "a share"),
        ({"propensities": ["a"]}, "float"),
        ({"inclusions": [0.5]}, "only for slots that are pooled"),
        ({"unit": ""}, "unit"),
        ({"unit": "u" * 513}, "unit"),
        ({"tracking_id": "t" * 129}, "tracking_id"),
        ({"decided_at": 1}, "was not declared yet"),
        ({"decided_at": 2**60}, "decided_at"),
        ({"decided_at": 2**46}, "in the future"),
        ({"declaration": 9}, "no declaration 9"),
        ({"reason": "because"}, "reason"),
        ({"token": "x"}, "token"),
        ({"session": 4}, "session"),
    ],
)
def test_a_wrong_field_is_refused_with_the_reason(
    guarded: House, changes: dict[str, Any], reason: str
) -> None:
    answer = send(guarded, plain(guarded, **changes))
    assert answer["accepted"] == 0
    assert reason in answer["rejected"][0]["reason"]


def test_a_slate_of_pooled_slots_says_how_likely_each_arm_was_shown(tmp_path: Path) -> None:
    slots = GUARDED.replace("slots = 1", "slots = 2")
    toml = slots.replace('default = "install"', 'default = ["install", "free-trial"]')
    with a_house(tmp_path / "croupier.db", toml) as house:
        house.later(1_000)
        slate: dict[str, Any] = {
            "slate": ["free-trial", "see-recipes"],
            "propensities": [0.25, 0.5],
        }
        missing = send(house, plain(house, **slate))["rejected"][0]["reason"]
        assert "inclusions: expected a share" in missing
        seen = plain(house, **slate, inclusions=[0.5, 0.8])
        assert send(house, seen, seen | {"kind": "click", "arm": "see-recipes"})["accepted"] == 2
        as_admin(house)
        page = arms(house.settle())
        assert [page[arm]["reward_sum"] for arm in slate["slate"]] == [0.0, 1.0]
        sums = house.embedded.backends.states.load(NAME).sums
        assert sorted(each.w for each in sums.values()) == [1_250_000, 2_000_000]


def test_it_takes_the_scope_ingest(guarded: House) -> None:
    told = {
        None: "needs an API key with the scope ingest",
        KEYS["decide"]: "the API key decide has not the scope ingest",
        NARROW: "the API key narrow is not for this experiment",
    }
    guarded.mark()
    for key, reason in told.items():
        answer = guarded.post(EVENTS, [plain(guarded)], **(bearer(key) if key else {})).json()
        assert reason in answer["rejected"][0]["reason"]
    assert guarded.rise("croupier_events_rejected_total", reason="key") == 3
    for key in (KEYS["ingest"], KEYS["admin"]):
        assert send(guarded, plain(guarded), key=key)["accepted"] == 1


def test_where_no_key_is_configured_nobody_can_have_one(tmp_path: Path) -> None:
    """A browser behind a proxy on this machine must not be able to forge a decision."""
    with a_house(tmp_path / "croupier.db", SINGLE) as house:
        house.later(1_000)
        (refused,) = house.report(plain(house))["rejected"]
        assert "needs an API key" in refused["reason"]


def test_it_goes_with_tokens_in_one_batch(guarded: House) -> None:
    decided = guarded.post(
        f"/v1/experiments/{NAME}/decide", {"unit": "w"}, **bearer(KEYS["decide"])
    ).json()
    answer = send(
        guarded,
        {"kind": "impression", "token": decided["token"]},
        plain(guarded, unit="w"),
        17,
        {"kind": "click"},
    )
    assert answer["accepted"] == 2
    assert [each["index"] for each in answer["rejected"]] == [2, 3]
