"""The ring in one process: what happens when the disk is away, and when declarations change."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from croupier.runners.ring import Ring
from tests.apps.house import MINUTE, NAME, SINGLE, STORY, TOP_BUTTON, House, a_house, arms

TROUBLE = """CREATE TRIGGER trouble BEFORE INSERT ON sums
    BEGIN SELECT RAISE(ABORT, 'out of order'); END"""
"""Appending to the log works, committing what was learned does not."""
BANNER = TOP_BUTTON.replace(NAME, "banner")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "croupier.db"


# --- the log is away ------------------------------------------------------------------------------


def test_a_log_that_cannot_be_written_refuses_events_and_goes_on_deciding(data: Path) -> None:
    with a_house(data) as house:
        before = house.decide("early")
        house.do("PRAGMA query_only = ON")
        event = {"kind": "impression", "token": before["token"]}
        refused = house.post("/v1/events", [event])
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert "the log is not available" in refused.json()["error"]
        assert house.metric("croupier_http_errors_total", status="503") == 1
        assert house.metric("croupier_events_accepted_total") == 0
        decision = house.decide("late", exposed=True)
        assert decision["exposed"] is False
        assert decision["slate"][0]["propensity"] == before["slate"][0]["propensity"]
        assert house.page()["observations"] == 0, "pages can still be read"
        house.do("PRAGMA query_only = OFF")
        assert house.report(event, {"kind": "impression", "token": decision["token"]}) == {
            "accepted": 2,
            "rejected": [],
        }
        assert house.settle()["observations"] == 2


def test_a_full_disk_loses_nothing_that_was_accepted(data: Path) -> None:
    with a_house(data, SINGLE) as house:
        events = [
            {"kind": "impression", "token": house.decide(f"u-{n}")["token"]} for n in range(90)
        ]
        house.do("PRAGMA max_page_count = 1")  # SQLite takes what the file has now for the least
        accepted = refused = 0
        for start in range(0, 90, 30):
            answer = house.post("/v1/events", events[start : start + 30] * 20)
            accepted += answer.status_code == 202
            refused += answer.status_code == 503
        assert refused
        assert accepted + refused == 3
        house.do("PRAGMA max_page_count = 1000000")
        for start in range(0, 90, 30):
            assert house.report(*events[start : start + 30])["rejected"] == []
        page = house.settle()
        assert (page["observations"], page["late"]) == (90, 0)


def test_while_learning_cannot_commit_decisions_are_degraded_and_say_so(data: Path) -> None:
    with a_house(data, SINGLE) as house:
        house.trial("u", "click")
        house.page()
        house.do(TROUBLE)
        house.later()
        wait(lambda: house.client.get("/healthz").status_code == 503)
        assert "out of order" in house.client.get("/healthz").json()["error"]
        assert house.metric("croupier_ring_up") == 0
        decision = house.decide("v", exposed=True)
        assert decision["degraded"] is True
        assert (decision["reason"], decision["exposed"]) == ("policy", True)
        assert house.read(decision["token"]).degraded
        assert house.page()["observations"] == 0
        house.do("DROP TRIGGER trouble")
        wait(lambda: house.client.get("/healthz").status_code == 200)
        assert house.decide("w")["degraded"] is False
        assert house.settle()["observations"] == 2, "a degraded decision trains"


def test_while_time_cannot_pass_on_the_log_it_says_so(data: Path) -> None:
    """A full disk takes no ticks: nothing closes, and that must not look healthy."""
    with a_house(data, SINGLE) as house:
        house.trial("u", "click")
        house.page()
        house.do("PRAGMA query_only = ON")
        house.later()
        wait(lambda: house.client.get("/healthz").status_code == 503)
        assert house.decide()["degraded"] is True
        house.do("PRAGMA query_only = OFF")
        wait(lambda: house.client.get("/healthz").status_code == 200)
        assert house.until(lambda page: page["open"] == 0)["observations"] == 1


def test_two_rings_on_one_log_do_not_count_twice(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the second came by the file: its first commit is refused, and it stops."""
    with a_house(data, SINGLE) as house:
        stranger = Ring(house.embedded.backends, house.embedded.declarations, [NAME], print)
        stranger.recover()
        house.trial("u", "click")
        house.settle()
        monkeypatch.setattr("croupier.runners.ring._ENTRIES", 1)
        stranger.run()
        assert "another process learns from this data" in str(stranger.error)
        assert house.page()["observations"] == 1


def test_a_retention_never_cuts_into_stories_of_an_earlier_declaration(data: Path) -> None:
    with a_house(data, SINGLE) as house:
        open_one = house.trial("u")
        house.page()
        short = SINGLE.replace('"15m"', '"1s"').replace('"5m"', '"1s"').replace('"1m"', '"1s"')
        house.reopen(short + '[log]\nretention = "10s"\n')
        house.later(2 * MINUTE)
        click = {"kind": "click", "token": open_one["token"]}
        assert house.report(click) == {"accepted": 1, "rejected": []}


def test_a_stop_while_learning_cannot_commit_loses_nothing(data: Path) -> None:
    house = House(data, SINGLE)
    house.trial("u", "click")
    house.page()
    house.do(TROUBLE)
    house.later()
    wait(lambda: house.embedded.ring.error is not None)
    house.close()
    with sqlite3.connect(data) as connection:
        connection.execute("DROP TRIGGER trouble")
    connection.close()
    with a_house(data, SINGLE) as house:
        house.later()
        page = house.until(lambda page: page["open"] == 0)
        assert (page["observations"], page["open"], page["late"]) == (1, 0, 0)


def test_a_copy_of_the_open_stories_that_cannot_be_saved_does_not_end_learning(data: Path) -> None:
    """The copy is disposable: /dev/full is a disk without room for it."""
    with a_house(data) as house:
        data.with_name("croupier.db.open.draft").symlink_to("/dev/full")
        house.trial("u")
        house.page()
        house.later(2 * MINUTE)
        time.sleep(0.1)
        house.trial("v")
        house.later()
        house.until(lambda page: page["observations"] == 2)
        assert house.embedded.ring.error is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_trimming_goes_on_when_the_disk_is_back(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from croupier.runners import embedded

    monkeypatch.setattr(embedded, "_TRIM_SECONDS", 0.02)
    with a_house(data, SINGLE + '[log]\nretention = "1h"\n') as house:
        house.trial("u")
        house.settle()
        house.do("PRAGMA query_only = ON")
        time.sleep(0.1)
        house.do("PRAGMA query_only = OFF")
        assert house.embedded._trimmer.is_alive()


def test_nothing_accepted_is_lost_when_the_ring_stops_under_load(data: Path) -> None:
    """Four callers report as fast as they can while it stops; what was answered 202 is learned."""
    from croupier.ports import EVENTS, UnavailableError

    accepted: list[int] = []
    with a_house(data, SINGLE) as house:
        events = [
            [
                {"kind": "impression", "token": house.decide(f"u-{k}-{n}")["token"]}
                for n in range(40)
            ]
            for k in range(4)
        ]
        from croupier.apps.serve.ingest import Ingest

        ingest, log = Ingest(house.embedded.service), house.embedded.backends.log

        def send(batch: list[Any]) -> None:
            for event in batch:
                records = ingest.read(json.dumps([event]).encode()).records
                try:
                    log.append(EVENTS, records).result()
                except UnavailableError:
                    return
                accepted.append(1)

        senders = [threading.Thread(target=send, args=(batch,)) for batch in events]
        for sender in senders:
            sender.start()
        while len(accepted) < 20:
            time.sleep(0.001)
    for sender in senders:
        sender.join()
    with a_house(data, SINGLE) as house:
        assert house.settle()["observations"] == len(accepted)


# --- restarts -------------------------------------------------------------------------------------


def test_a_restart_goes_on_where_it_stood(data: Path) -> None:
    with a_house(data) as house:
        house.trial("u", "click")
        before = house.settle()
        open_one = house.trial("v")
        house.reopen(TOP_BUTTON)
        assert house.page()["open"] == 1
        assert house.page()["arms"] == house.page()["arms"]
        house.report({"kind": "click", "token": open_one["token"]})
        after = house.settle()
        assert after["observations"] == before["observations"] + 1
        assert sum(arm["reward_sum"] for arm in after["arms"]) == 2


def test_a_version_never_goes_back(data: Path) -> None:
    with a_house(data) as house:
        versions = [house.page()["version"]]
        for number in range(3):
            house.trial(f"u-{number}")
            house.settle()
            house.until(lambda page: page["version"] > versions[-1])
            versions.append(house.page()["version"])
            house.reopen(TOP_BUTTON)
            versions.append(house.page()["version"])
        assert versions == sorted(versions)
        assert versions[-1] == versions[-2], "a restart publishes nothing that is not new"


def test_a_stop_in_the_middle_of_a_story_is_not_seen_in_the_sums(data: Path) -> None:
    with a_house(data, SINGLE) as house:
        decisions = []
        for number in range(6):
            decisions.append(house.trial(f"u-{number}"))
            house.reopen(SINGLE)
        house.report(*({"kind": "click", "token": one["token"]} for one in decisions[::2]))
        house.reopen(SINGLE)
        page = house.settle()
        assert (page["observations"], page["late"]) == (6, 0)
        assert sum(arm["reward_sum"] for arm in page["arms"]) == 3


# --- declarations across restarts -----------------------------------------------------------------


def test_nothing_is_declared_anew_when_nothing_changed(data: Path) -> None:
    with a_house(data) as house:
        house.reopen(TOP_BUTTON)
        house.reopen(TOP_BUTTON.replace('"10s"', '"20s"'))
        page = house.page()
        assert (page["declaration"], page["reward_version"], page["version"]) == (1, 1, 1)


def test_a_changed_reward_starts_a_new_reward_version_and_sums_never_mix(data: Path) -> None:
    with a_house(data, SINGLE) as house:
        house.trial("a", "click", "enrol")
        old = house.settle()
        assert (old["reward_version"], total(old)) == (1, (1, 1.0))
        before = house.decide("b")
        house.reopen(SINGLE.replace("click = 1.0", "click = 1.0, enrol = 5.0"))
        assert (house.page()["reward_version"], house.page()["declaration"]) == (2, 2)
        assert total(house.page()) == (0, 0)
        kinds = ("impression", "click", "enrol")
        house.report(*({"kind": kind, "token": before["token"]} for kind in kinds))
        house.trial("c", "click", "enrol")
        new = house.settle()
        assert total(new) == (1, 6.0), "the decision before the change is worth what it was then"
        sums = house.embedded.backends.states.load(NAME).sums
        by_version = {
            version: sum(each.r for key, each in sums.items() if key.reward_version == version)
            for version in (1, 2)
        }
        assert by_version == {1: 2_000_000, 2: 6_000_000}
        assert new["observations"] == 3


def test_a_reward_that_returns_does_not_fall_back_into_the_old_sums(data: Path) -> None:
    with a_house(data, SINGLE) as house:
        house.trial("a", "click")
        house.settle()
        house.reopen(SINGLE.replace("click = 1.0", "click = 2.0"))
        house.reopen(SINGLE)
        page = house.page()
        assert (page["reward_version"], total(page)) == (3, (0, 0))


def test_a_changed_window_applies_only_to_decisions_after_the_change(data: Path) -> None:
    with a_house(data, SINGLE) as house:
        old = house.trial("old")
        house.reopen(SINGLE.replace('window = "15m"', 'window = "1h"'))
        new = house.trial("new")
        house.later(19 * MINUTE)
        for decision in (old, new):
            house.report({"kind": "click", "token": decision["token"]})
        assert house.page()["open"] == 2, "both stories are still open after 19 minutes"
        house.later(5 * MINUTE)
        page = house.until(lambda page: page["open"] == 1)
        assert page["observations"] == 1
        house.later(60 * MINUTE)
        page = house.until(lambda page: page["open"] == 0)
        sums = house.embedded.backends.states.load(NAME).sums
        assert {key.reward_version: (each.n, each.r) for key, each in sums.items()} == {
            1: (1, 0),  # its 15 minutes were over
            2: (1, 1_000_000),
        }


def test_an_arm_that_is_removed_still_counts_and_is_not_drawn_again(data: Path) -> None:
    with a_house(data, SINGLE) as house:
        shown = next(
            decision
            for number in range(200)
            if (decision := house.decide(f"u-{number}"))["slate"][0]["arm"] == "see-recipes"
        )
        house.report({"kind": "impression", "token": shown["token"]})
        house.page()
        house.reopen(SINGLE.replace(', "see-recipes"', ""))
        click = {"kind": "click", "token": shown["token"], "arm": "see-recipes"}
        assert house.report(click)["accepted"] == 1
        page = house.settle()
        removed = arms(page)["see-recipes"]
        assert (removed["status"], removed["weight"]) == ("removed", 0.0)
        assert (removed["n"], removed["reward_sum"]) == (1, 1.0)
        drawn = {house.decide(f"v-{number}")["slate"][0]["arm"] for number in range(60)}
        assert drawn == {"install", "free-trial"}
        assert house.decide(exclude=["see-recipes"])["slate"], "naming it is no error"
        answer = house.ask({"unit": "u", "eligible": ["see-recipes"]})
        assert answer.status_code == 422
        assert "leave no arm" in answer.json()["error"]


def test_an_added_arm_has_a_positive_weight_and_the_next_number(data: Path) -> None:
    with a_house(data, SINGLE) as house:
        for number in range(30):
            house.trial(f"u-{number}", "click")
        house.settle()
        house.reopen(SINGLE.replace('["install",', '["brand-new", "install",'))
        page = house.page()
        assert [arm["arm"] for arm in page["arms"]][-1] == "brand-new"
        assert arms(page)["brand-new"]["weight"] >= 0.01
        assert page["reward_version"] == page["declaration"] == 1, "the past of the others stays"
        assert total(page)[0] == 30
        numbers = house.embedded.service.arm_numbers(NAME)
        assert numbers == {"install": 0, "free-trial": 1, "see-recipes": 2, "brand-new": 3}


def test_an_arm_that_returns_keeps_its_number_and_its_past(data: Path) -> None:
    fewer = SINGLE.replace(', "see-recipes"', "")
    other = SINGLE.replace('"see-recipes"', '"other"')
    with a_house(data, SINGLE) as house:
        while total(house.page())[0] == 0 or not arms(house.page())["see-recipes"]["n"]:
            for _ in range(12):
                house.trial(f"u-{time.monotonic_ns()}", "click")
            house.settle()
        before = arms(house.page())["see-recipes"]
        for toml in (fewer, other, SINGLE):
            house.reopen(toml)
        after = arms(house.page())
        for key in ("n", "reward_sum", "mean", "status"):
            assert after["see-recipes"][key] == before[key]
        assert after["see-recipes"]["weight"] > 0
        assert after["other"]["status"] == "removed"
        assert house.embedded.service.arm_numbers(NAME)["other"] == 3


def test_an_experiment_that_is_removed_is_gone_and_returns_with_its_past(data: Path) -> None:
    with a_house(data, TOP_BUTTON + BANNER) as house:
        house.trial("a", "click")
        house.settle()
        open_one = house.trial("b")
        house.page()
        house.reopen(BANNER)
        assert house.client.get(f"/v1/experiments/{NAME}").status_code == 404
        assert house.ask({"unit": "u"}).status_code == 404
        assert [one["name"] for one in house.client.get("/v1/experiments").json()] == ["banner"]
        assert house.client.get("/readyz").status_code == 200
        click = {"kind": "click", "token": open_one["token"]}
        assert house.report(click)["accepted"] == 1, "its open stories still count"
        house.later(STORY)
        while house.embedded.backends.states.load(NAME).open[NAME]:
            time.sleep(0.01)
        house.reopen(TOP_BUTTON + BANNER)
        page = house.until(lambda page: page["observations"] == 2)
        assert total(page) == (2, 2.0)
        assert page["declaration"] == page["reward_version"] == 1
        house.until(lambda page: page["version"] == house.decide()["version"])


def test_a_changed_policy_is_published_at_the_restart(data: Path) -> None:
    with a_house(data) as house:
        house.reopen(TOP_BUTTON.replace('kind = "thompson", floor = 0.01', 'kind = "uniform"'))
        page = house.page()
        assert (page["policy"], page["version"]) == ("uniform", 2)


def test_two_experiments_do_not_touch_each_other(data: Path) -> None:
    with a_house(data, SINGLE + BANNER) as house:
        house.trial("u", "click")
        page = house.settle()
        assert page["observations"] == 1
        other = house.page("banner")
        assert (other["observations"], other["open"], other["version"]) == (0, 0, 1)
        assert total(other) == (0, 0)


def wait(until: Callable[[], bool]) -> None:
    """Until it is so, for a few seconds."""
    deadline = time.monotonic() + 8
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def total(page: dict[str, Any]) -> tuple[int, float]:
    """Trials and reward of all arms together."""
    return sum(arm["n"] for arm in page["arms"]), sum(arm["reward_sum"] for arm in page["arms"])


def test_where_only_paused_arms_would_be_left_the_default_is_shown_again(data: Path) -> None:
    with a_house(data, SINGLE) as house:
        for arm in ("free-trial", "see-recipes"):
            change = {"change": "pause", "arm": arm}
            assert house.post(f"/v1/experiments/{NAME}/arms", change).status_code == 200
        fewer = SINGLE.replace('"install", ', "").replace('"install"', '"free-trial"')
        house.reopen(fewer)
        page = arms(house.page())
        assert {name: arm["status"] for name, arm in page.items()} == {
            "install": "removed",
            "free-trial": "active",
            "see-recipes": "paused",
        }
        assert house.decide()["slate"][0]["arm"] == "free-trial"


def test_a_token_of_an_arm_that_came_later_is_refused(data: Path) -> None:
    """After a restore numbers are given again: what was shown then is not what has it now."""
    with a_house(data, SINGLE) as house:
        put = {"change": "put", "arm": "new"}
        before = house.decide()["token"]
        shown = msgspec.structs.replace(house.read(before), slate=(3,))
        early = house.signer().sign(shown)
        assert "arm 3" in house.refusal({"kind": "impression", "token": early})
        assert house.post(f"/v1/experiments/{NAME}/arms", put).status_code == 200
        assert "restored" in house.refusal({"kind": "impression", "token": early})
        later = house.token(slate=(3,))
        assert house.report({"kind": "impression", "token": later})["accepted"] == 1
