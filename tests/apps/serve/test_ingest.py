"""What is refused of one event, and why; and what is merely harmless."""

from typing import Any

import pytest

from croupier.core.token import Signer
from tests.apps.house import MINUTE, TOP_BUTTON, House, arms

DAY = 1440 * MINUTE
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        ({"kind": ""}, "kind", "kind must be 1 to 64 letters"),
        ({"kind": "a b"}, "kind", "kind must be 1 to 64 letters"),
        ({"kind": "<script>"}, "kind", "kind must be 1 to 64 letters"),
        ({"kind": "k" * 65}, "malformed", "kind"),
        ({"kind": 5}, "malformed", "kind"),
        ({"kind": None}, "malformed", "kind"),
        ({"token": None}, "malformed", "token"),
        ({"token": 5}, "malformed", "token"),
        ({"token": ""}, "token", "token is malformed"),
        ({"token": "x" * 5_000}, "token", "token is longer than 2048 characters"),
        ({"token": "tökén"}, "token", "token is malformed"),
        ({"token": "A" * 103}, "token", "token is malformed"),
        ({"arm": "buy"}, "arm", "'buy' was not shown by this decision"),
        ({"arm": 0}, "malformed", "arm"),
        ({"arm": ""}, "arm", "'' was not shown by this decision"),
        ({"at": "now"}, "malformed", "at"),
        ({"at": True}, "malformed", "at"),
        ({"at": [1]}, "malformed", "at"),
        ({"at": -1}, "clock", "at must lie between the decision"),
        ({"at": 0}, "clock", "at must lie between the decision"),
        ({"at": 1_763_750_000}, "clock", "at must lie between the decision"),
        ({"at": 1e300}, "clock", "at must lie between the decision"),
        ({"at": 2**63}, "clock", "at must lie between the decision"),
        ({"value": "1"}, "malformed", "value"),
        ({"value": True}, "malformed", "value"),
        ({"value": -0.01}, "value", "value must be from 0 to 1e+09, got -0.01"),
        ({"value": 1.1e9}, "value", "value must be from 0 to 1e+09"),
        ({"value": 1e300}, "value", "value must be from 0 to 1e+09"),
        ({"id": 9}, "malformed", "id"),
        ({"id": "i" * 129}, "malformed", "id"),
        ({"experiment": "top-button"}, "malformed", "experiment"),
        ({"reward": 1.0}, "malformed", "reward"),
    ],
)
def test_a_bad_event_is_refused_with_the_key_and_the_reason(
    shared: House, changes: dict[str, Any], code: str, reason: str
) -> None:
    event = {"kind": "click", "token": shared.decide()["token"]}
    assert reason in shared.refusal(event | changes)
    assert shared.rise("croupier_events_rejected_total", reason=code) == 1
    assert shared.rise("croupier_events_accepted_total") == 0


@pytest.mark.parametrize(
    "number",
    [
        "1e999",
        "-1e999",
        "1" + "0" * 400,
        "1" + "0" * 5_000,
    ],
)
@pytest.mark.parametrize("key", ["at", "value"])
def test_a_number_beyond_all_bounds_is_one_bad_event(shared: House, key: str, number: str) -> None:
    token = shared.decide()["token"]
    good = f'{{"kind":"impression","token":"{token}"}}'
    bad = f'{{"kind":"click","token":"{token}","{key}":{number}}}'
    answer = shared.post("/v1/events", f"[{good},{bad}]")
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    (rejected,) = answer.json()["rejected"]
    assert rejected["index"] == 1
    assert key in rejected["reason"]
    assert len(rejected["reason"]) < 300


@pytest.mark.parametrize(
    "harmless",
    [
        {"at": None, "arm": None, "value": None, "id": None},
        {"at": 0.5},
        {"value": 1e-9},
        {"value": 1e9},
        {"id": ""},
        {"id": "🎲" * 128},
        {"kind": "never-declared"},
    ],
)
def test_odd_but_lawful_events_are_accepted(house: House, harmless: dict[str, Any]) -> None:
    decision = house.decide()
    if harmless.get("at"):
        harmless = {"at": house.read(decision["token"]).at + harmless["at"]}
    event = {"kind": "click", "token": decision["token"]}
    answer = house.report({"kind": "impression", "token": decision["token"]}, event | harmless)
    assert answer == {"accepted": 2, "rejected": []}
    page = house.settle()
    clicked = 0 if "kind" in harmless else 1
    assert sum(arm["reward_sum"] for arm in page["arms"]) == clicked


# --- tokens ---------------------------------------------------------------------------------------


def test_no_changed_token_says_anything_else(shared: House) -> None:
    """Each character changed in turn. The last one has two bits to spare, which mean nothing."""
    token = shared.decide()["token"]
    forged = [
        token[:place] + DIGITS[(DIGITS.index(digit) + 16) % 64] + token[place + 1 :]
        for place, digit in enumerate(token)
    ]
    answer = shared.report(*({"kind": "click", "token": each} for each in forged))
    assert [each["index"] for each in answer["rejected"]] == list(range(len(token)))
    assert all("token" in each["reason"] for each in answer["rejected"])
    assert shared.rise("croupier_events_rejected_total", reason="token") == len(token)


@pytest.mark.parametrize(
    "cut", [lambda t: t[:-1], lambda t: t[1:], lambda t: t + "A", lambda t: t + t, lambda t: t[:50]]
)
def test_a_cut_or_stretched_token_is_refused(shared: House, cut: Any) -> None:
    assert "token" in shared.refusal({"kind": "click", "token": cut(shared.decide()["token"])})


def test_a_token_signed_by_a_stranger_is_refused(shared: House) -> None:
    forger = Signer({1: b"somebody else's secret, not ours"}, ["top-button"])
    reason = shared.refusal({"kind": "click", "token": shared.token(signer=forger)})
    assert reason == "token signature does not match"


def test_a_token_of_a_key_that_was_retired_says_so(shared: House) -> None:
    old = Signer({77: b"a key that has long been retired"}, ["top-button"])
    reason = shared.refusal({"kind": "click", "token": shared.token(signer=old)})
    assert reason == "token was signed with a key that is not in use"


def test_a_token_of_an_experiment_that_is_not_ours_says_so(shared: House) -> None:
    from croupier.config.keys import load_keys

    twin = Signer(load_keys(shared.data, {}).token, ["other"])
    token = shared.token(signer=twin, experiment="other")
    reason = shared.refusal({"kind": "click", "token": token})
    assert reason == "token is for an experiment that is not declared here"


def test_a_token_of_a_declaration_that_never_was_is_refused(shared: House) -> None:
    reason = shared.refusal({"kind": "click", "token": shared.token(declaration=9)})
    assert reason == "token is of a declaration that is not known here"


def test_a_token_expires_with_the_log(house: House) -> None:
    house.reopen(TOP_BUTTON + '[log]\nretention = "1d"\n')
    reason = house.refusal({"kind": "click", "token": house.token(age=DAY + MINUTE)})
    assert reason.startswith("token expired")
    assert "1d" in reason
    assert house.metric("croupier_events_rejected_total", reason="expired") == 1
    young = {"kind": "click", "token": house.token(age=DAY - MINUTE)}
    assert house.report(young)["accepted"] == 1


def test_without_a_retention_an_old_token_is_merely_late(house: House) -> None:
    token = house.token(age=400 * DAY)
    assert house.report({"kind": "click", "token": token})["accepted"] == 1
    assert house.until(lambda page: page["late"] == 1)["observations"] == 0


# --- clocks ---------------------------------------------------------------------------------------


def test_a_token_from_the_future_beyond_the_skew_is_refused(shared: House) -> None:
    reason = shared.refusal({"kind": "impression", "token": shared.token(age=-2 * MINUTE)})
    assert reason == "token is from the future: the servers' clocks disagree"
    assert shared.rise("croupier_events_rejected_total", reason="clock") == 1
    assert shared.report({"kind": "impression", "token": shared.token(age=-MINUTE // 2)})[
        "accepted"
    ]


@pytest.mark.parametrize(
    ("skew", "accepted"), [(-55_000, 1), (55_000, 1), (-65_000, 0), (65_000, 0)]
)
def test_a_clients_clock_is_bounded_both_ways(shared: House, skew: int, accepted: int) -> None:
    token = shared.decide()["token"]
    answer = shared.report(
        {"kind": "impression", "token": token, "at": shared.read(token).at + skew}
    )
    assert answer["accepted"] == accepted
    if not accepted:
        assert "give or take 60000 ms" in answer["rejected"][0]["reason"]


def test_a_wrong_clock_within_the_bound_moves_no_trial_out_of_its_story(house: House) -> None:
    """An impression `before` its decision and a click `after` its receipt both count."""
    decision = house.decide()
    at, token = house.read(decision["token"]).at, decision["token"]
    house.report(
        {"kind": "impression", "token": token, "at": at - 50_000},
        {"kind": "click", "token": token, "at": house.clock.now() + 50_000},
    )
    arm = arms(house.settle())[decision["slate"][0]["arm"]]
    assert (arm["n"], arm["reward_sum"]) == (1, 1.0)


def test_the_bound_is_declared(house: House) -> None:
    house.reopen(TOP_BUTTON + '[server]\nmax_skew = "4m"\n')
    event = {"kind": "impression", "token": house.decide()["token"]}
    assert house.report(event | {"at": house.clock.now() + 3 * MINUTE})["accepted"] == 1
    assert "at must lie" in house.refusal(event | {"at": house.clock.now() + 5 * MINUTE})


# --- what a reward needs --------------------------------------------------------------------------


def test_an_amount_must_come_with_its_value(house: House) -> None:
    amount = '{ buy = { weight = 0.01, of = "value", max = 500 } }'
    house.reopen(TOP_BUTTON.replace("{ click = 1.0 }", amount))
    decision = house.decide()
    event = {"kind": "buy", "token": decision["token"]}
    assert house.refusal(event) == "value is required: the reward of buy is one"
    house.report(
        {"kind": "impression", "token": decision["token"]},
        event | {"value": 300, "id": "a"},
        event | {"value": 800, "id": "b"},
    )
    assert arms(house.settle())[decision["slate"][0]["arm"]]["reward_sum"] == 5.0


def test_an_arm_that_was_not_in_the_slate_is_refused(shared: House) -> None:
    decision = shared.decide()
    other = ({"install", "free-trial", "see-recipes"} - {decision["slate"][0]["arm"]}).pop()
    event = {"kind": "click", "token": decision["token"], "arm": other}
    assert shared.refusal(event) == f"{other!r} was not shown by this decision"


def test_a_batch_may_be_declared_shorter(house: House) -> None:
    house.reopen(TOP_BUTTON + "[server]\nmax_events = 3\nmax_body = 1000\n")
    assert house.post("/v1/events", [1] * 4).status_code == 400
    assert house.post("/v1/events", [1] * 3).status_code == 202
    assert house.post("/v1/events", " " * 1001).status_code == 413
