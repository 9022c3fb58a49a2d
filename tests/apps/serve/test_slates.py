"""Slates through the doors: decided, seen in part, learned by the right propensity and slot."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.apps.house import House, a_house, arms

ARMS = [f"unit-{number}" for number in range(8)]
TOML = """
[[experiment]]
name = "page"
arms = ["unit-0", "unit-1", "unit-2", "unit-3", "unit-4", "unit-5", "unit-6", "unit-7"]
default = ["unit-0", "unit-1", "unit-2"]
reward = { click = 1.0 }
slots = 3
session = "none"
"""
SLOTS = TOML + 'ranking = "slots"\n'


@pytest.fixture
def pooled(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path / "croupier.db", TOML) as house:
        yield house


@pytest.fixture
def by_slot(tmp_path: Path) -> Iterator[House]:
    with a_house(tmp_path / "croupier.db", SLOTS) as house:
        yield house


def shown(decision: dict[str, Any]) -> list[str]:
    assert [one["slot"] for one in decision["slate"]] == list(range(len(decision["slate"])))
    return [one["arm"] for one in decision["slate"]]


def see(decision: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    return [{"kind": "impression", "token": decision["token"], "arm": name} for name in names]


def click(decision: dict[str, Any], name: str) -> dict[str, Any]:
    return {"kind": "click", "token": decision["token"], "arm": name}


def test_a_slate_says_how_likely_each_arm_was_in_its_slot_and_at_all(pooled: House) -> None:
    decision = pooled.decide(name="page")
    assert len(set(shown(decision))) == 3
    carried = pooled.read(decision["token"])
    for slot, one in enumerate(decision["slate"]):
        assert one["propensity"] == pytest.approx(carried.propensities[slot], rel=1e-6)
        assert one["inclusion"] == pytest.approx(carried.inclusions[slot], rel=1e-6)
        assert one["propensity"] == pytest.approx(one["inclusion"] / 3, rel=1e-6)


def test_only_what_was_seen_is_a_trial(pooled: House) -> None:
    decision = pooled.decide(name="page")
    first, second, third = shown(decision)
    pooled.report(*see(decision, first, second), click(decision, second), click(decision, third))
    page = arms(pooled.settle("page"))
    assert {name: page[name]["n"] for name in (first, second, third)} == {
        first: 1,
        second: 1,
        third: 0,
    }
    assert [page[name]["reward_sum"] for name in (first, second, third)] == [0.0, 1.0, 0.0]


def test_an_impression_without_an_arm_is_of_the_whole_slate(pooled: House) -> None:
    decision = pooled.decide(name="page")
    pooled.report({"kind": "impression", "token": decision["token"]})
    page = pooled.settle("page")
    assert page["observations"] == 3
    assert {arm["arm"] for arm in page["arms"] if arm["n"]} == set(shown(decision))


def test_an_exposed_slate_is_seen_as_a_whole(pooled: House) -> None:
    assert pooled.decide(name="page", exposed=True)["exposed"] is True
    assert pooled.settle("page")["observations"] == 3


def test_an_outcome_must_name_an_arm_of_the_slate(pooled: House) -> None:
    decision = pooled.decide(name="page")
    absent = next(name for name in ARMS if name not in shown(decision))
    bare = {"kind": "click", "token": decision["token"]}
    assert pooled.refusal(bare) == "arm is required when slots > 1"
    assert "was not shown by this decision" in pooled.refusal(bare | {"arm": absent})


def test_pooled_slots_have_one_sum_with_the_propensity_of_being_shown(pooled: House) -> None:
    decision = pooled.decide(name="page")
    pooled.report({"kind": "impression", "token": decision["token"]})
    pooled.settle("page")
    states = pooled.embedded.backends.states.load("page")
    carried = pooled.read(decision["token"])
    assert {key.slot for key in states.sums} == {0}
    assert {key.arm: sums.w for key, sums in states.sums.items()} == {
        arm: round(1e6 / share)
        for arm, share in zip(carried.slate, carried.inclusions, strict=True)
    }


def test_slots_that_learn_for_themselves_have_sums_of_their_own(by_slot: House) -> None:
    decision = by_slot.decide(name="page")
    assert "inclusion" not in decision["slate"][0]
    first, second, third = shown(decision)
    by_slot.report({"kind": "impression", "token": decision["token"]}, click(decision, third))
    page = by_slot.settle("page")
    assert (page["slots"], page["ranking"]) == (3, "slots")
    carried = by_slot.read(decision["token"])
    states = by_slot.embedded.backends.states.load("page")
    assert {(key.arm, key.slot): sums.w for key, sums in states.sums.items()} == {
        (arm, slot): round(1e6 / carried.propensities[slot])
        for slot, arm in enumerate(carried.slate)
    }
    known = arms(page)
    assert [slot["n"] for slot in known[first]["slots"]] == [1, 0, 0]
    assert [slot["reward_sum"] for slot in known[third]["slots"]] == [0.0, 0.0, 1.0]
    assert known[second]["mean"] == 0.0


def test_a_slate_is_restricted_as_asked(pooled: House) -> None:
    left = ARMS[2:6]
    for number in range(40):
        assert set(shown(pooled.decide(f"u-{number}", "page", eligible=left))) <= set(left)
        assert not set(shown(pooled.decide(f"u-{number}", "page", exclude=left))) & set(left)
    assert len(shown(pooled.decide(name="page", eligible=left[:2]))) == 2
    answer = pooled.ask({"unit": "u", "exclude": ARMS}, "page")
    assert answer.status_code == 422


@pytest.mark.parametrize("toml", [TOML, SLOTS], ids=["pooled", "slots"])
def test_slates_move_to_what_earns_and_settle(tmp_path: Path, toml: str) -> None:
    """Two arms always earn, six never: after 80 slates both lead, and the page says so."""
    with a_house(tmp_path / "croupier.db", toml) as house:
        for number in range(80):
            decision = house.decide(f"u-{number}", "page")
            good = [click(decision, name) for name in shown(decision) if name in ARMS[6:]]
            house.report({"kind": "impression", "token": decision["token"]}, *good)
        page = house.settle("page")
        page = house.until(lambda page: page["version"] > 1, "page")
        assert page["observations"] == 240
        weights = {arm["arm"]: arm["weight"] for arm in page["arms"]}
        assert sum(weights.values()) == pytest.approx(3.0, abs=1e-9)
        assert min(weights["unit-6"], weights["unit-7"]) > 0.8 > max(weights[n] for n in ARMS[:6])
        assert 0 <= page["churn"] <= 1


def test_removed_and_paused_arms_leave_the_next_slates(pooled: House) -> None:
    for change, arm in (("pause", "unit-5"), ("remove", "unit-7"), ("pin", "unit-6")):
        answer = pooled.post("/v1/experiments/page/arms", {"change": change, "arm": arm})
        assert answer.status_code == 200, answer.text
    pooled.until(lambda _: pooled.decide(name="page")["reason"] == "pinned", "page")
    made = [pooled.decide(f"u-{number}", "page") for number in range(30)]
    assert {shown(decision)[0] for decision in made} == {"unit-6"}
    assert {decision["reason"] for decision in made} == {"pinned"}
    assert not {name for decision in made for name in shown(decision)} & {"unit-5", "unit-7"}
    answer = pooled.post("/v1/experiments/page/arms", {"change": "remove", "arm": "unit-1"})
    assert answer.status_code in {409, 422}
    assert "default" in answer.text


def test_a_change_of_ranking_starts_a_new_reward_version(tmp_path: Path) -> None:
    data = tmp_path / "croupier.db"
    with a_house(data, TOML) as house:
        decision = house.decide(name="page")
        house.report({"kind": "impression", "token": decision["token"]})
        assert house.settle("page")["reward_version"] == 1
        house.reopen(SLOTS)
        page = house.page("page")
        assert (page["reward_version"], page["observations"]) == (2, 3)
        assert sum(arm["n"] for arm in page["arms"]) == 0


def test_in_a_cascade_nothing_below_what_was_rewarded_is_a_trial(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", TOML + 'ranking = "cascade"\n') as house:
        decision = house.decide(name="page")
        first, second, third = shown(decision)
        house.report({"kind": "impression", "token": decision["token"]}, click(decision, second))
        page = house.settle("page")
        assert page["observations"] == 2
        known = arms(page)
        assert [known[name]["n"] for name in (first, second, third)] == [1, 1, 0]
        assert [one["n"] for one in known[second]["slots"]] == [0, 1, 0]


def test_a_page_says_how_often_each_slot_is_looked_at(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", TOML + 'ranking = "position"\n') as house:
        assert house.page("page")["examination"] == [1.0, 1.0, 1.0]
        for number in range(60):
            decision = house.decide(f"u-{number}", "page")
            clicked = [click(decision, name) for name in shown(decision)[:1]]
            house.report({"kind": "impression", "token": decision["token"]}, *clicked)
        house.settle("page")
        page = house.until(lambda page: page["version"] > 1, "page")
        assert page["examination"][0] == 1.0
        assert all(0.02 <= seen < 0.7 for seen in page["examination"][1:])


@pytest.mark.parametrize(("before", "after"), [(TOML, SLOTS), (SLOTS, TOML)])
def test_until_a_snapshot_of_the_new_kind_is_there_slates_are_of_the_old(
    tmp_path: Path, before: str, after: str
) -> None:
    """Else their shares and slots would be taken for what they are not."""
    with a_house(tmp_path / "croupier.db", before) as house:
        old = house.embedded.service.snapshot("page")
        assert old is not None
        house.reopen(after)
        service = house.embedded.service
        declared = service.declarations.latest("page")
        assert declared.version == 2
        service._deciders.clear()
        service.accept(old)
        decision = house.read(house.decide(name="page")["token"])
        assert decision.declaration == 1
        assert bool(decision.inclusions) == (before == TOML)
        service.redeclare("page")
        assert house.read(house.decide(name="page")["token"]).declaration == 1


def test_a_paused_default_ends_the_holdout_and_does_not_dilute_it(tmp_path: Path) -> None:
    with a_house(tmp_path / "croupier.db", TOML + "holdout = 0.5\n") as house:
        answer = house.post("/v1/experiments/page/arms", {"change": "pause", "arm": "unit-1"})
        assert answer.status_code == 200
        house.until(lambda page: arms(page)["unit-1"]["weight"] == 0, "page")
        made = [house.decide(f"v-{number}", "page") for number in range(60)]
        assert {decision["reason"] for decision in made} == {"policy", "default"}
        for decision in made:
            house.report({"kind": "impression", "token": decision["token"]})
        page = house.settle("page")
        assert page["holdout"]["n"] == 0
        left_out = sum(decision["reason"] == "default" for decision in made)
        assert page["not_learned_by"]["default"] == 3 * left_out
        assert page["observations"] == 3 * (60 - left_out)
