"""croupier log: readable, bounded, beside a running ring; and decisions drawn once more."""

import json
from pathlib import Path
from typing import Any

import pytest

from croupier.adapters.memory import MemoryLog
from croupier.clock import TurnedClock
from croupier.config.backends import open_backends
from croupier.core import codec
from croupier.core.records import Marker, Refill, Tick
from croupier.ports import EVENTS, partition_of
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


def test_what_a_declaration_changed_is_told(croupier: CommandLine, shop: Path) -> None:
    """Another margin, default or policy is no other version: the line must say what it is."""
    guarded = SINGLE + "[experiment.guardrail.leave]\nreward = { leave = 1.0 }\nmargin = 0.5\n"
    other = guarded.replace("0.5", "0.25").replace('default = "install"', 'default = "free-trial"')
    for toml in (guarded, other, other.replace("floor = 0.01", "floor = 0.02")):
        with a_house(shop / "croupier.db", toml):
            pass
    words = ("log", "--data", shop / "croupier.db", "--topic", "arms")
    told = [line for line in croupier(*words).out.splitlines() if "declaration" in line]
    first, guarded_too, *_ = told
    assert "changed" not in first
    assert "changed guardrail.leave." in guarded_too
    assert [line.partition(", changed ")[2] for line in told[2:]] == [
        'default: "install" → "free-trial", guardrail.leave.margin: 0.5 → 0.25',
        "policy.floor: 0.01 → 0.02",
    ]
    (last,) = croupier(*words, "--limit", 1).out.splitlines()
    assert last == told[-1]


def test_one_unit_one_decision_one_stretch_of_time(croupier: CommandLine, shop: Path) -> None:
    words = ("log", "--data", shop / "croupier.db", "--json")
    mine = lines(croupier(*words, "--unit", "u-3").out)
    assert [each["kind"] for each in mine] == ["impression", "click"]
    tracking_id = mine[0]["decision"]["tracking_id"]
    assert lines(croupier(*words, "--tracking-id", tracking_id).out) == mine
    assert croupier(*words, "--since", "2999-01-01").out == ""
    assert len(lines(croupier(*words, "--since", "1000d").out)) == 20


@pytest.mark.parametrize(
    "words",
    [
        ("--topic", "nope"),
        ("--since", "yesterday"),
        ("--tracking-id", "xyz"),
        ("--tracking-id", ""),
        ("--tracking-id", "abcd"),
        ("--topic", "arms", "--unit", "u-1"),
        ("--topic", "arms", "--tracking-id", "00" * 15),
        ("--topic", "observations", "--tracking-id", "00" * 15),
        ("--experiment", "top-buton"),
        ("--explain", "00" * 15, "--unit", "u-1"),
        ("--explain", "00" * 15, "--follow"),
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


def test_an_experiment_that_was_never_declared_is_said(croupier: CommandLine, shop: Path) -> None:
    words = ("log", "--data", shop / "croupier.db", "--experiment")
    for more in ((), ("--topic", "observations"), ("--follow",)):
        found = croupier(*words, "top-buton", *more)
        assert found.err == f"no experiment 'top-buton', expected {NAME}\n"
    assert croupier(*words, NAME).out


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


def test_of_several_partitions_the_newest_records_come_last() -> None:
    """By stamp; a partition that is busy hides nothing of a quiet one, ticks and markers count not.

    What is printed is what sorting the whole topic gives.
    """
    clock = TurnedClock(1_000)
    log = MemoryLog(clock, partitions=3)
    wanted, all_of_them = Wanted(), []
    for number in range(400):
        clock.at += 1
        record = Refill(experiment="e", reward_version=number, watermark=0, at=0)
        place = 0 if number % 7 else number % 3
        key = next(bytes([n]) for n in range(256) if partition_of(bytes([n]), 3) == place)
        log.append(EVENTS, [codec.encode(record)], [key]).result()
        log.append(EVENTS, [codec.encode(Tick()), codec.encode(Marker(source=0, watermark=number))])
        all_of_them.append(number)
    for limit in (1, 10, 399, 1_000):
        seen = newest(log, Stretch(EVENTS, 0, log.ends(EVENTS)), wanted, limit)
        told = [one.record.reward_version for one in seen]  # type: ignore[attr-defined]
        assert told == all_of_them[-limit:]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("backup", "--to", "x"), "pg_dump"),
        (("backup", "--data", "postgresql://me:secret@h/db", "--to", "x"), "pg_dump"),
        (("restore", "--from", "x", "--data", "kafka://h/p"), "pg_dump"),
        (("replay", "--data", "postgresql://me:secret@h/db"), "expected the data file"),
        (("export",), "--log needs --states"),
        (("prior",), "--log needs --states"),
        (("log", "--explain", "00" * 15), "--log needs --states"),
        (("log",), "kafka 127.0.0.1:1: "),
        (("evaluate", "kafka://127.0.0.1:1/shop?patience=1"), "kafka 127.0.0.1:1: "),
        (("log", "--data", "none.db"), "none.db: no such data file"),
        (("export", "--states", "postgresql://me:secret@127.0.0.1:1/db"), "127.0.0.1:1: "),
    ],
)
def test_where_a_distributed_ring_is_named_a_command_reads_it_or_says_what_instead(
    croupier: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CROUPIER_LOG", "kafka://127.0.0.1:1/shop?patience=1")
    found = croupier(*words)
    assert (found.code, found.out) == (2, "")
    assert said in found.err
    assert "secret" not in found.err
    assert "Traceback" not in found.err
