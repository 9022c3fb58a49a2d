"""Groups through the doors: declared, put, imported; limited in every answer, and told."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from croupier.local import LocalCroupier
from tests.apps.house import House, a_house

ARMS = [f"unit-{number}" for number in range(8)]
TOML = """
[[experiment]]
name = "page"
arms = ["unit-0", "unit-1", "unit-2", "unit-3", "unit-4", "unit-5", "unit-6", "unit-7"]
default = ["unit-0", "unit-6", "unit-7"]
reward = { click = 1.0 }
slots = 3
sticky = "unit"
refresh = "1s"

[experiment.groups]
unit-0 = "sport"
unit-1 = "sport"
unit-2 = "sport"
unit-3 = "news"
unit-4 = "news"

[experiment.diversity]
at_most = 2
of = { sport = 1 }
"""
GROUPS = {**dict.fromkeys(ARMS[:3], "sport"), **dict.fromkeys(ARMS[3:5], "news")}


@pytest.fixture
def page(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path / "croupier.db", TOML) as house:
        yield house


def slates(house: House, units: int = 60, **request: Any) -> list[list[str]]:
    answers = [house.decide(f"u-{unit}", "page", **request) for unit in range(units)]
    return [[one["arm"] for one in answer["slate"]] for answer in answers]


def most(found: list[list[str]], groups: dict[str, str], group: str) -> int:
    return max(Counter(groups.get(arm, "") for arm in slate)[group] for slate in found)


def change(house: House, **body: Any) -> dict[str, Any]:
    answer = house.client.post("/v1/experiments/page/arms", json=body)
    return {"status": answer.status_code, **answer.json()}


def told(house: House) -> dict[str, str]:
    found = house.page("page")
    return {arm["arm"]: arm["group"] for arm in found["arms"] if "group" in arm}


def test_no_answer_shows_more_of_a_group_than_may_be(page: House) -> None:
    found = slates(page)
    assert {len(slate) for slate in found} == {3}
    assert most(found, GROUPS, "sport") == 1
    assert told(page) == GROUPS
    assert page.page("page")["filled"] == 3


def test_a_request_that_leaves_one_group_is_answered_shorter(page: House) -> None:
    assert {len(slate) for slate in slates(page, eligible=ARMS[:5])} == {3}
    assert {len(slate) for slate in slates(page, eligible=ARMS[:3])} == {1}


def test_whoever_decides_in_process_decides_the_same(page: House) -> None:
    asked: list[dict[str, Any]] = [{}, {"exclude": ["unit-6"]}, {"eligible": ARMS[:5]}]
    with LocalCroupier(str(page.data), {"page": ARMS[5:]}) as local:
        for request in asked:
            for unit in range(30):
                here = local.decide("page", f"u-{unit}", **request)
                there = page.decide(f"u-{unit}", "page", **request)
                said = [(one["arm"], one["propensity"]) for one in there["slate"]]
                assert [(one.arm, one.propensity) for one in here.slate] == said


def test_a_group_that_is_put_at_run_time_is_limited(page: House) -> None:
    first = change(page, change="put", arm="unit-5", group="sport", by="ana")
    assert (first["status"], first["change"]) == (200, "put unit-5 of group 'sport'")
    change(page, change="put", arm="derby", group="sport")
    groups = GROUPS | {"unit-5": "sport", "derby": "sport"}
    page.until(lambda found: len(found["arms"]) == 9 and found["arms"][8]["weight"] > 0, "page")
    assert told(page) == groups
    found = slates(page, 200)
    assert most(found, groups, "sport") == 1
    assert any("derby" in slate for slate in found)
    change(page, change="put", arm="unit-0", group="")
    assert told(page) == {name: group for name, group in groups.items() if name != "unit-0"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"change": "pause", "arm": "unit-5", "group": "sport"}, "group goes with put"),
        ({"change": "put", "arm": "unit-5", "group": "s" * 201}, "up to 200 printable characters"),
        ({"change": "put", "arm": "unit-5", "group": "a\nb"}, "up to 200 printable characters"),
    ],
)
def test_a_group_that_cannot_be_is_refused(page: House, body: Any, reason: str) -> None:
    refused = change(page, **body)
    assert refused["status"] in {400, 409, 422}
    assert reason in str(refused)
    assert told(page) == GROUPS


def test_groups_come_with_imported_arms(page: House) -> None:
    body = (
        "arm,status,group\nunit-0,,-\nunit-6,,tv\nnew,,tv\nunit-7,paused,\nnew,,sport\nunit-1,,\n"
    )
    answer = page.client.post(
        "/v1/experiments/page/arms/import", content=body, headers={"Content-Type": "text/csv"}
    ).json()
    assert [(row["row"], row["column"]) for row in answer["rejected"]] == [(5, "group")]
    assert (answer["accepted"], answer["duplicate"]) == (4, 1)
    assert {arm["arm"]: arm.get("group") for arm in answer["arms"]} == {
        "unit-0": "", "unit-6": "tv", "new": "tv", "unit-7": None,
    }  # fmt: skip
    wanted = {name: group for name, group in GROUPS.items() if name != "unit-0"}
    assert told(page) == wanted | {"unit-6": "tv", "new": "tv"}


def test_the_page_says_how_many_slots_groups_leave(page: House) -> None:
    for arm in ARMS[5:]:
        change(page, change="pause", arm=arm)
    change(page, change="pause", arm="unit-3")
    page.until(lambda found: found["filled"] == 2, "page")
    assert {len(slate) for slate in slates(page)} == {2}


def test_a_start_with_other_groups_is_another_declaration(tmp_path: Path) -> None:
    data = tmp_path / "croupier.db"
    with a_house(data, TOML) as house:
        change(house, change="put", arm="unit-7", group="tv")
    with a_house(data, TOML.replace('unit-4 = "news"', 'unit-4 = "sport"')) as house:
        assert house.page("page")["declaration"] == 2
        assert told(house) == GROUPS | {"unit-4": "sport", "unit-7": "tv"}
        groups = GROUPS | {"unit-4": "sport"}
        house.until(lambda found: found["version"] > 1, "page")
        assert most(slates(house), groups, "sport") == 1
