"""The door for estimates: what a real ring has learned, and who may ask."""

import pytest

from tests.apps.house import NAME, House


def test_estimates_are_of_what_was_learned(house: House) -> None:
    for number in range(6):
        house.trial(f"u-{number}", *(["click"] if number % 2 else []))
    house.settle()
    found = house.client.get(f"/v1/experiments/{NAME}/estimates").json()
    assert (found["name"], found["trials"], found["holdout"]) == (NAME, 6, None)
    page = {arm["arm"]: arm["n"] for arm in house.page()["arms"]}
    assert {arm["arm"]: arm["n"] for arm in found["arms"]} == page
    assert sum(arm["best"] for arm in found["arms"]) == pytest.approx(1)
    assert found["arms"][0]["lift"] is None  # the default is compared with itself by nobody
    assert found["arms"][1]["lift"]["against"] == "install"
    assert not found["verdict"]["settled"]


def test_before_the_first_trial_nothing_is_claimed(shared: House) -> None:
    found = shared.client.get(f"/v1/experiments/{NAME}/estimates?worth=0.01").json()
    assert found["verdict"]["text"] == "no verdict yet: nothing to compare"
    assert [arm["mean"]["value"] for arm in found["arms"]] == [None] * 3


@pytest.mark.parametrize(
    ("path", "status"), [("nope/estimates", 404), (f"{NAME}/estimates?worth=-1", 422)]
)
def test_what_cannot_be_asked_is_refused(shared: House, path: str, status: int) -> None:
    assert shared.client.get(f"/v1/experiments/{path}").status_code == status


def test_a_trial_whose_window_is_open_is_not_a_failure(house: House) -> None:
    house.trial("early", "click")
    house.settle()
    before = house.client.get(f"/v1/experiments/{NAME}/estimates").json()
    for number in range(9):
        house.trial(f"open-{number}")
    assert house.page()["open"] == 9
    assert house.client.get(f"/v1/experiments/{NAME}/estimates").json() == before
    house.settle()
    assert house.client.get(f"/v1/experiments/{NAME}/estimates").json()["trials"] == 10
