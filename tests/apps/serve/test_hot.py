"""The two hot doors as callers know them: DESIGN §5, to the letter."""

import http.client
import json
import sqlite3
from contextlib import suppress
from typing import Any

import pytest

from croupier.core.menu import as_float32
from tests.apps.house import MINUTE, SINGLE, TOP_BUTTON, House, arms, listening

DECIDE = "/v1/experiments/top-button/decide"


# --- decide ---------------------------------------------------------------------------------------


def test_decide_answers_what_the_contract_says(shared: House) -> None:
    answer = shared.ask({"unit": "u-17", "exclude": ["install"], "exposed": False})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    decision = answer.json()
    (shown,) = decision.pop("slate")
    assert shown.pop("arm") in {"free-trial", "see-recipes"}
    assert shown == {"slot": 0, "propensity": 0.5}
    assert len(bytes.fromhex(decision.pop("tracking_id"))) == 15
    assert 0 < len(decision.pop("token")) <= 140
    assert decision == {
        "experiment": "top-button",
        "version": 1,
        "reason": "policy",
        "degraded": False,
    }


def test_exposed_is_answered_only_when_it_was_asked_for(shared: House) -> None:
    assert "exposed" not in shared.decide()
    assert "exposed" not in shared.decide(exposed=False)
    assert shared.decide(exposed=True)["exposed"] is True


def test_exposed_makes_the_impression_durable_before_the_answer(house: House) -> None:
    decision = house.decide(exposed=True)
    assert records(house) == [(decision["tracking_id"], "impression")]
    page = house.settle()
    assert arms(page)[decision["slate"][0]["arm"]]["n"] == 1


def test_the_token_says_what_the_answer_says(shared: House) -> None:
    answer = shared.decide()
    decision = shared.read(answer["token"])
    numbers = {"install": 0, "free-trial": 1, "see-recipes": 2}
    assert decision.tracking_id.hex() == answer["tracking_id"]
    assert decision.slate == (numbers[answer["slate"][0]["arm"]],)
    assert decision.propensities == (as_float32(answer["slate"][0]["propensity"]),)
    assert (decision.snapshot, decision.reason, decision.degraded) == (1, "policy", False)


def test_the_unit_does_not_leave_the_server_readable(shared: House) -> None:
    decision = shared.read(shared.decide("someone@example.org")["token"])
    assert b"someone" not in decision.unit
    assert shared.read(shared.decide("someone@example.org")["token"]).unit == decision.unit


def test_tracking_ids_grow_with_time(shared: House) -> None:
    ids = [shared.decide(f"u-{number}")["tracking_id"] for number in range(50)]
    assert ids == sorted(set(ids))


def test_a_session_sees_the_same_arm_again(shared: House) -> None:
    for unit in ("a", "b", "c", "d", "e", "f"):
        first = shared.decide(unit)
        again = shared.decide(unit)
        if shared.read(first["token"]).session == shared.read(again["token"]).session:
            assert first["slate"] == again["slate"]
        assert first["tracking_id"] != again["tracking_id"]


def test_a_restricted_request_is_drawn_with_weights_of_its_own_set(house: House) -> None:
    for number in range(12):
        house.trial(f"v-{number}", *(["click"] if number % 3 == 0 else []))
    house.settle()
    house.until(lambda page: page["version"] == 2)
    snapshot = house.embedded.service.snapshot("top-button")
    assert snapshot
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"exclude": []}, []),
        ({"eligible": None}, []),
        ({"eligible": ["see-recipes", "free-trial", "install"]}, []),
        ({"exclude": ["install"]}, ["free-trial", "see-recipes"]),
        ({"eligible": ["install", "free-trial"]}, ["install", "free-trial"]),
        ({"eligible": ["install", "free-trial"], "exclude": ["install"]}, ["free-trial"]),
        ({"eligible": ["install", "install"]}, ["install"]),
    ]
    for asked, left in cases:
        places = [snapshot.names.index(name) for name in left] or [0, 1, 2]
        weights = snapshot.weights if len(places) == 3 else snapshot.weights_among(places)
        expected = {snapshot.names[place]: w for place, w in zip(places, weights, strict=True)}
        assert sum(expected.values()) == pytest.approx(1, abs=1e-12)
        for number in range(10):
            (shown,) = house.decide(f"w-{number}", **asked)["slate"]
            assert shown["propensity"] == pytest.approx(expected[shown["arm"]], abs=1e-12)


def test_a_holdout_is_shown_the_default_and_says_so(house: House) -> None:
    house.reopen(TOP_BUTTON.replace("holdout = 0.0", "holdout = 0.5"))
    answers = [house.decide(f"u-{number}") for number in range(60)]
    held = [answer for answer in answers if answer["reason"] == "holdout"]
    assert 10 < len(held) < 50
    assert all(
        answer["slate"] == [{"arm": "install", "slot": 0, "propensity": 1.0}] for answer in held
    )
    assert {answer["reason"] for answer in answers} == {"holdout", "policy"}
    house.report({"kind": "impression", "token": held[0]["token"]})
    page = house.settle()
    assert page["observations"] == 0
    assert page["not_learned_by"]["holdout"] == page["holdout"]["n"] == 1
    assert arms(page)["install"]["n"] == 0


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ("", 400, "not JSON"),
        ("{", 400, "not JSON"),
        ('{"unit":"u"', 400, "not JSON"),
        (b'{"unit":"\xc3\x28"}', 400, "not JSON"),
        ('{"unit":NaN}', 400, "not JSON"),
        ("[]", 422, "object"),
        ("null", 422, "object"),
        ("{}", 422, "unit"),
        ({"unit": None}, 422, "unit"),
        ({"unit": 17}, 422, "unit"),
        ({"unit": ""}, 422, "unit must be 1 to 512 characters"),
        ({"unit": "u" * 513}, 422, "unit must be 1 to 512 characters"),
        ({"unit": "u", "units": "v"}, 422, "units"),
        ({"unit": "u", "exposed": 1}, 422, "exposed"),
        ({"unit": "u", "exposed": "true"}, 422, "exposed"),
        ({"unit": "u", "exclude": "install"}, 422, "exclude"),
        ({"unit": "u", "exclude": [1]}, 422, "exclude"),
        ({"unit": "u", "eligible": {"install": 1}}, 422, "eligible"),
        ({"unit": "u", "eligible": []}, 422, "eligible"),
        ({"unit": "u", "eligible": ["buy"]}, 422, "eligible: 'buy' is not an arm of top-button"),
        ({"unit": "u", "exclude": ["buy"]}, 422, "exclude: 'buy' is not an arm of top-button"),
        (
            {"unit": "u", "exclude": ["install", "free-trial", "see-recipes"]},
            422,
            "leave no arm of top-button to show",
        ),
        ('{"unit":' + "[" * 100_000, 422, "unit"),
    ],
)
def test_a_wrong_decide_is_refused_with_the_key_and_the_reason(
    shared: House, body: Any, status: int, reason: str
) -> None:
    answer = shared.ask(body)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert reason in answer.json()["error"]
    assert shared.rise("croupier_http_errors_total", status=str(status)) == 1
    assert shared.rise("croupier_decisions_total", experiment="top-button", reason="policy") == 0


def test_an_unknown_experiment_is_named_and_not_found(shared: House) -> None:
    for name in ("top-buton", "", "a/b", "x" * 300, "%20", "ünknown"):
        answer = shared.ask({"unit": "u"}, name)
        assert answer.status_code == 404
        assert "is declared" in answer.json()["error"]
        assert len(answer.content) < 400


def test_a_refusal_does_not_echo_a_megabyte(shared: House) -> None:
    answer = shared.ask({"unit": "u", "eligible": ["q" * 900_000]})
    assert answer.status_code == 422
    assert len(answer.content) < 1_000


# --- bodies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [DECIDE, "/v1/events"])
def test_an_oversized_body_is_refused_and_counted(shared: House, path: str) -> None:
    answer = shared.post(path, b" " * 1_048_577)
    assert answer.status_code == 413
    assert answer.json() == {"error": "the body may have at most 1048576 bytes"}
    assert shared.rise("croupier_http_errors_total", status="413") == 1


@pytest.mark.parametrize("path", [DECIDE, "/v1/events"])
def test_an_oversized_body_is_refused_however_it_comes(shared: House, path: str) -> None:
    """With and without content-length, over a real socket; the server answers the next caller."""
    with listening(shared) as port:
        for chunked in (False, True):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            parts = [b" " * 65_536] * 20
            body = iter(parts) if chunked else b"".join(parts)
            with suppress(BrokenPipeError, ConnectionResetError):  # it may hang up while we talk
                connection.request("POST", path, body, encode_chunked=chunked)
            assert connection.getresponse().status == 413
            connection.close()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("POST", DECIDE, '{"unit":"u"}')
        assert connection.getresponse().status == 200
        connection.close()


def test_a_chunked_body_is_as_good_as_any(shared: House) -> None:
    with listening(shared) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("POST", DECIDE, iter([b'{"un', b'it":"', b'u"}']), encode_chunked=True)
        assert connection.getresponse().status == 200
        connection.close()


# --- events ---------------------------------------------------------------------------------------


def test_events_answers_what_the_contract_says(house: House) -> None:
    decision = house.decide()
    at, arm = house.clock.now(), decision["slate"][0]["arm"]
    events = [
        {"kind": "impression", "token": decision["token"], "at": at},
        {"kind": "click", "token": decision["token"], "arm": arm, "value": 1.0, "id": "evt-9"},
    ]
    answer = house.post("/v1/events", events)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "rejected": []})
    page = house.settle()
    assert (arms(page)[arm]["n"], arms(page)[arm]["reward_sum"]) == (1, 1.0)
    assert house.metric("croupier_events_accepted_total") == 2


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "text/plain;charset=UTF-8"])
def test_a_beacon_is_read_whatever_it_calls_itself(shared: House, kind: str) -> None:
    body = json.dumps([{"kind": "impression", "token": shared.decide()["token"]}])
    answer = shared.post("/v1/events", body, **{"content-type": kind})
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "rejected": []})


def test_an_empty_batch_is_no_error(shared: House) -> None:
    assert shared.report() == {"accepted": 0, "rejected": []}


def test_what_was_accepted_is_in_the_file(house: House) -> None:
    """A second connection sees it before the caller has done anything else."""
    decision = house.decide()
    house.report(*({"kind": kind, "token": decision["token"]} for kind in ("impression", "click")))
    assert records(house) == [
        (decision["tracking_id"], "impression"),
        (decision["tracking_id"], "click"),
    ]


def test_each_bad_event_is_named_and_the_good_ones_are_kept(house: House) -> None:
    token = house.decide()["token"]
    answer = house.report(
        {"kind": "impression", "token": token},
        {"kind": "click"},
        17,
        {"kind": "click", "token": token[:-1]},
        {"kind": "click", "token": token, "at": 1},
        {"kind": "click", "token": token},
    )
    assert answer["accepted"] == 2
    reasons = {each["index"]: each["reason"] for each in answer["rejected"]}
    assert list(reasons) == [1, 2, 3, 4]
    for index, word in {1: "token", 2: "object", 3: "token", 4: "at must lie"}.items():
        assert word in reasons[index]
    assert [kind for _, kind in records(house)] == ["impression", "click"]
    assert house.metric("croupier_events_accepted_total") == 2
    assert house.metric("croupier_events_rejected_total", reason="malformed") == 2
    assert house.metric("croupier_events_rejected_total", reason="token") == 1
    assert house.metric("croupier_events_rejected_total", reason="clock") == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "not JSON"),
        ("[", "not JSON"),
        ("[{},]", "not JSON"),
        ('[{"kind":5},{"kin', "not JSON"),
        ("{}", "JSON array"),
        ('{"kind":"click","token":"t"}', "JSON array"),
        ("null", "JSON array"),
        ("5", "JSON array"),
        ("[" * 100_000, "nested too deeply"),
        ('[{"a":' + "[" * 100_000, "nested too deeply"),
        ("[" + ",".join(["1"] * 10_001) + "]", "at most 10000 events"),
    ],
)
def test_what_is_no_batch_is_refused_whole_and_counted(
    shared: House, body: Any, reason: str
) -> None:
    answer = shared.post("/v1/events", body)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]
    assert shared.rise("croupier_events_rejected_total", reason="batch") == 1
    assert shared.rise("croupier_http_errors_total", status="400") == 1


def test_a_duplicate_has_no_effect(house: House) -> None:
    house.reopen(SINGLE)
    decision = house.decide()
    events = [{"kind": kind, "token": decision["token"]} for kind in ("click", "impression")]
    for _ in range(3):
        house.report(*events, *events)
    page = house.settle()
    arm = arms(page)[decision["slate"][0]["arm"]]
    assert (page["observations"], arm["n"], arm["reward_sum"], page["late"]) == (1, 1, 1.0, 0)


def test_what_comes_late_is_set_aside_and_counted_once(house: House) -> None:
    decision = house.trial("u", "click")
    before = house.settle()
    for _ in range(2):
        late = house.report(
            {"kind": "click", "token": decision["token"]},
            {"kind": "click", "token": decision["token"]},
        )
        assert late == {"accepted": 2, "rejected": []}
    after = house.until(lambda page: page["late"] > 0)
    house.later()
    house.trial("another")
    assert house.page()["late"] == after["late"] == 1
    for name, arm in arms(after).items():
        assert [arm[key] for key in ("n", "reward_sum")] == [
            arms(before)[name][key] for key in ("n", "reward_sum")
        ]
    assert house.metric("croupier_late_total", experiment="top-button") == 1


def test_an_outcome_past_its_window_counts_for_nothing(house: House) -> None:
    decision = house.trial("u")
    house.later(16 * MINUTE)
    house.report({"kind": "click", "token": decision["token"]})
    page = house.settle()
    assert (page["observations"], page["late"]) == (1, 0)
    assert sum(arm["reward_sum"] for arm in page["arms"]) == 0


def test_an_outcome_may_come_before_its_impression(house: House) -> None:
    decision = house.decide()
    for kind in ("click", "impression"):
        house.report({"kind": kind, "token": decision["token"]})
    assert sum(arm["reward_sum"] for arm in house.settle()["arms"]) == 1


def test_what_was_never_shown_is_never_learned(house: House) -> None:
    house.report({"kind": "click", "token": house.decide()["token"]})
    page = house.settle()
    assert (page["observations"], sum(arm["n"] for arm in page["arms"])) == (0, 0)


def test_ten_impressions_of_one_session_are_one_trial(house: House) -> None:
    """Unless a session border lies between them, and then they are two."""
    tokens = [house.decide("one")["token"] for _ in range(10)]
    house.report(*({"kind": "impression", "token": token} for token in tokens))
    sessions = {house.read(token).session for token in tokens}
    page = house.settle()
    assert page["observations"] == len(sessions)
    assert page["not_learned"] == page["not_learned_by"]["repeat"] == 10 - len(sessions)


def records(house: House) -> list[tuple[str, str]]:
    """Tracking id and kind of every event in the file, read by a connection of our own."""
    from croupier.core import codec
    from croupier.core.records import Event

    connection = sqlite3.connect(f"file:{house.data}?mode=ro", uri=True)
    payloads = [row[0] for row in connection.execute("SELECT payload FROM log_events")]
    connection.close()
    return [
        (event.decision.tracking_id.hex(), event.kind)
        for event in codec.decode_all(payloads)
        if isinstance(event, Event)
    ]


@pytest.mark.parametrize("broken", [rb'"\ud83d"', b'"\xff"', b'"\xc3("'])
def test_a_text_that_is_none_costs_only_its_own_event(house: House, broken: bytes) -> None:
    """JSON.stringify writes such texts for a string that was cut through an emoji."""
    token = house.decide()["token"].encode()
    good = b'{"kind":"impression","token":"' + token + b'"}'
    bad = b'{"kind":"click","token":"' + token + b'","id":' + broken + b"}"
    answer = house.post("/v1/events", b"[" + good + b"," + bad + b"," + good + b"]").json()
    assert answer["accepted"] == 2
    assert [each["index"] for each in answer["rejected"]] == [1]
