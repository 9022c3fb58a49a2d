"""croupier log: readable, bounded, beside a running ring; and decisions drawn once more."""

import json
from pathlib import Path
from typing import Any

import pytest

from croupier.config.backends import open_backends
from croupier.ports import EVENTS
from croupier.runners.looking.look import Stretch, Wanted, follow, newest
from tests.apps.house import NAME, SINGLE, TOP_BUTTON, a_house
from tests.cli.command import CommandLine

SLATES = TOP_BUTTON.replace('default = "install"', 'default = ["install", "free-trial"]').replace(
    "slots = 1", "slots = 2"
)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_newest_events_come_last_with_names_and_times(
    croupier: CommandLine, shop: Path
) -> None:
    words = ("log", "--data", shop / "croupier.db")
    found = lines(croupier(*words, "--json").out)
    assert len(found) == 20
    assert [each["appended"] for each in found] == sorted(each["appended"] for each in found)
    assert {each["kind"] for each in found} == {"impression", "click", "enrol"}
    assert found[0]["decision"]["slate"][0] in {"install", "free-trial", "see-recipes"}
    assert found[0]["at"].endswith("Z")
    assert lines(croupier(*words, "--json", "--limit", 3).out) == found[-3:]
    text = croupier(*words, "--limit", 3).out.splitlines()
    assert len(text) == 3
    assert f"tracking {found[-1]['decision']['tracking_id']}" in text[-1]


@pytest.mark.parametrize(
    ("topic", "count", "said"),
    [
        ("funnels", 10, "click 1x"),
        ("observations", 10, "reward 1  propensity 0.3"),
        ("arms", 2, "arms 1, declared by config: install, free-trial, see-recipes"),
    ],
)
def test_every_topic_can_be_read(
    croupier: CommandLine, shop: Path, topic: str, count: int, said: str
) -> None:
    words = ("log", "--data", shop / "croupier.db", "--topic", topic)
    out = croupier(*words).out
    assert len(out.splitlines()) == count
    assert said in out
    assert all("type" in each for each in lines(croupier(*words, "--json").out))


def test_one_unit_one_decision_one_stretch_of_time(croupier: CommandLine, shop: Path) -> None:
    words = ("log", "--data", shop / "croupier.db", "--json")
    mine = lines(croupier(*words, "--unit", "u-3").out)
    assert [each["kind"] for each in mine] == ["impression", "click"]
    tracking_id = mine[0]["decision"]["tracking_id"]
    assert lines(croupier(*words, "--tracking-id", tracking_id).out) == mine
    assert croupier(*words, "--experiment", "nope").out == ""
    assert croupier(*words, "--since", "2999-01-01").out == ""
    assert len(lines(croupier(*words, "--since", "1000d").out)) == 20


@pytest.mark.parametrize(
    "words",
    [
        ("--topic", "nope"),
        ("--since", "yesterday"),
        ("--tracking-id", "xyz"),
        ("--explain", "00" * 15),
        ("--explain", "zz" * 15),
        ("--explain", "token"),
        ("--limit", 0),
        ("--data", "nothing.db"),
    ],
)
def test_what_cannot_be_is_refused(
    croupier: CommandLine, shop: Path, words: tuple[object, ...]
) -> None:
    found = croupier("log", "--data", shop / "croupier.db", *words)
    assert (found.code, found.out) == (2, "")


@pytest.mark.parametrize("toml", [TOP_BUTTON, SINGLE, SLATES], ids=["session", "none", "slate"])
def test_a_decision_is_explained_by_its_id_and_by_its_token(
    croupier: CommandLine, tmp_path: Path, toml: str
) -> None:
    words = ("log", "--data", tmp_path / "croupier.db", "--json", "--explain")
    with a_house(tmp_path / "croupier.db", toml) as house:
        decision = house.trial("u-17", eligible=None)
        for text in (decision["tracking_id"], decision["token"]):
            found = croupier(*words, text).json()
            assert found["agrees"]
            assert found["shown"] == found["again"]
            assert found["shown"] == [each["arm"] for each in decision["slate"]]
            if found["point"] is not None:
                (on,) = [s for s in found["shares"] if s["begins"] <= found["point"] < s["ends"]]
                assert on["name"] == found["shown"][0]
        restricted = house.decide("u-1", exclude=["see-recipes"])["token"]
        assert not croupier(*words, restricted).json()["agrees"]
        told = croupier(*words[:3], "--explain", decision["token"]).out
        assert "the same draw gives the same slate" in told


def test_a_running_ring_is_followed(tmp_path: Path) -> None:
    """From where it stood, each record once, in order."""
    with a_house(tmp_path / "croupier.db", SINGLE) as house:
        house.trial("before")
        log = open_backends(tmp_path / "croupier.db", read_only=True).log
        ends = log.ends(EVENTS)
        wanted = Wanted(NAME)

        def act() -> None:
            house.trial("later", "click")

        records = follow(log, EVENTS, wanted, ends, act)
        kinds = [next(records).record.kind for _ in range(4)]  # type: ignore[attr-defined]
        assert kinds == ["impression", "click"] * 2
        assert len(newest(log, Stretch(EVENTS, 0, ends), wanted, 9)) == 1
