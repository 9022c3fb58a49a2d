"""Reports reach the server until they are answered; what does not is counted, by fate."""

import gc
import logging
import random
import socket
import threading
import time
import weakref
from typing import Any

import pytest

from croupier.client import Croupier
from tests.client.peers import (
    DECIDED,
    DEFAULTS,
    HOST,
    NAME,
    SEEN,
    Asked,
    Peer,
    accepted,
    answers,
    closes,
    hangs,
    http,
    is_deaf,
    peer,
    says,
    wait_for,
)

QUICK = {"linger": 0.01, "exit_timeout": 0.5}


def fates(client: Croupier) -> dict[str, int]:
    """The counters that are not 0, without their prefix."""
    found = client.stats()
    whole = {name: count for name, count in found.items() if name.startswith("events_") and count}
    return {name.removeprefix("events_"): count for name, count in whole.items()}


def arrived(server: Peer) -> list[dict[str, Any]]:
    return [event for asked in server.asked for event in asked.body]


def test_events_say_what_they_were_told() -> None:
    with peer(answers(lambda asked, _: accepted(asked))) as server:
        with Croupier(server.url, DEFAULTS, **QUICK) as client:  # type: ignore[arg-type]
            before = int(time.time() * 1000)
            client.impression(SEEN)
            client.impression("AQEC", arm="b", at=5)
            client.outcome(SEEN, "click")
            client.outcome(SEEN, "buy", value=2.5, id="order-7", at=7.5, arm="free-trial")
        after = int(time.time() * 1000)
        first, second, third, fourth = arrived(server)
        assert before <= first.pop("at") <= third.pop("at") <= after
        assert first == {"kind": "impression", "token": "AQEB"}
        assert second == {"kind": "impression", "token": "AQEC", "arm": "b", "at": 5}
        assert third == {"kind": "click", "token": "AQEB"}, "no id is invented"
        bought = {"kind": "buy", "token": "AQEB", "value": 2.5, "id": "order-7", "at": 7.5}
        assert fourth == bought | {"arm": "free-trial"}
        assert fates(client) == {"queued": 4, "accepted": 4}


def test_events_travel_together_and_on_one_connection() -> None:
    with peer(answers(lambda asked, _: accepted(asked))) as server:
        with Croupier(server.url, DEFAULTS, batch=100, linger=0.1) as client:
            for n in range(1_000):
                client.outcome(SEEN, "click", id=f"{n}")
            assert client.flush(5)
            assert len(server.asked) <= 40
            assert server.connections == 1
        assert [one["id"] for one in arrived(server)] == [f"{n}" for n in range(1_000)]


def test_events_are_sent_without_being_asked_to() -> None:
    with (
        peer(answers(lambda asked, _: accepted(asked))) as server,
        Croupier(server.url, DEFAULTS, linger=0.05) as client,
    ):
        began = time.monotonic()
        client.impression(SEEN)
        wait_for(lambda: fates(client).get("accepted") == 1)
        assert server.asked[0].at - began >= 0.05


def test_retry_after_is_honoured_also_by_flush(caplog: pytest.LogCaptureFixture) -> None:
    def make(asked: Asked, number: int) -> bytes:
        return http(503, {"error": "away"}, "Retry-After: 1") if number == 1 else accepted(asked)

    with peer(answers(make)) as server, Croupier(server.url, DEFAULTS, **QUICK) as client:  # type: ignore[arg-type]
        client.impression(SEEN)
        wait_for(lambda: bool(server.asked))
        assert not client.flush(0.3)
        client.outcome(SEEN, "click")
        assert client.flush(5)
        first, second = server.asked
        assert 1.0 <= second.at - first.at < 3.0
        assert first.body[0] == second.body[0], "the same, word for word"
        assert fates(client) == {"queued": 2, "accepted": 2, "resent": 1}
    assert len(caplog.records) == 2


def test_failures_are_tried_again_ever_more_rarely() -> None:
    with peer(says(http(500, {"error": "internal error"}))) as server:
        with Croupier(server.url, DEFAULTS, linger=0.01, exit_timeout=0.1) as client:
            client.impression(SEEN)
            time.sleep(1.5)
            gaps = [b.at - a.at for a, b in zip(server.asked, server.asked[1:], strict=False)]
            assert 3 <= len(gaps) <= 5
            assert gaps[-1] > gaps[0]
        assert fates(client)["lost"] == 1


def test_a_server_that_decides_again_is_sent_what_waits() -> None:
    back = threading.Event()

    def make(asked: Asked, number: int) -> bytes:
        if not back.is_set():
            return http(500, {})
        return accepted(asked) if asked.path.endswith("/events") else http(200, DECIDED)

    with (
        peer(answers(make)) as server,
        Croupier(server.url, DEFAULTS, failures=1, pause=0.1, linger=0.01) as client,
    ):
        client.impression(SEEN)
        client.decide(NAME, "u")
        wait_for(lambda: fates(client).get("resent", 0) >= 6)  # the next try is in 3 s or more
        back.set()
        began = time.monotonic()
        wait_for(lambda: not client.decide(NAME, "u").is_default)
        wait_for(lambda: fates(client).get("accepted") == 1)
        assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("lost", [None, http(200, b"<html>Please log in"), http(202, [])])
def test_an_answer_that_is_lost_or_no_receipt_is_no_answer(lost: bytes | None) -> None:
    def make(asked: Asked, number: int) -> bytes | None:
        return accepted(asked) if number > 2 else lost

    with peer(answers(make)) as server, Croupier(server.url, DEFAULTS, **QUICK) as client:  # type: ignore[arg-type]
        client.impression(SEEN)
        wait_for(lambda: fates(client).get("accepted") == 1)
        assert len(server.asked) == 3
        assert {str(asked.body) for asked in server.asked} == {str(server.asked[0].body)}


def test_rejected_events_are_counted_and_told() -> None:
    told: list[tuple[dict[str, Any], str]] = []

    def take(event: dict[str, Any], why: str) -> None:
        told.append((event, why))
        raise RuntimeError("their fault")

    def make(asked: Asked, number: int) -> bytes:
        bad = [{"index": n, "reason": "old"} for n, one in enumerate(asked.body) if "id" in one]
        return http(202, {"accepted": len(asked.body) - len(bad), "rejected": bad})

    with peer(answers(make)) as server:
        with Croupier(server.url, DEFAULTS, on_rejected=take) as client:
            client.impression(SEEN)
            client.outcome(SEEN, "click", id="x")
            client.outcome(SEEN, "click")
            client.outcome(SEEN, "click", id="y")
        assert fates(client) == {"queued": 4, "accepted": 2, "rejected": 2}
    assert [(event["id"], why) for event, why in told] == [("x", "old"), ("y", "old")]


def test_what_cannot_be_sent_is_rejected_here_and_does_not_hold_up_the_rest() -> None:
    told: list[str] = []
    with peer(answers(lambda asked, _: accepted(asked))) as server:
        with Croupier(server.url, DEFAULTS, on_rejected=lambda _, why: told.append(why)) as client:
            client.outcome(SEEN, "buy", value=float("nan"))
            client.outcome(SEEN, "buy", id=object())  # type: ignore[arg-type]
            client.outcome("t" * 20_000, "click")
            client.impression(SEEN)
        assert fates(client) == {"queued": 4, "accepted": 1, "rejected": 3}
    assert len(told) == 3


def test_a_batch_that_is_too_large_is_parted() -> None:
    def make(asked: Asked, number: int) -> bytes:
        if any(one.get("id") == "13" for one in asked.body):
            return http(400, {"error": "the body is not to my taste"})
        return accepted(asked) if len(asked.body) <= 8 else http(413, {"error": "too large"})

    told: list[Any] = []
    with peer(answers(make)) as server:
        with Croupier(server.url, DEFAULTS, on_rejected=lambda *one: told.append(one)) as client:
            for n in range(100):
                client.outcome(SEEN, "click", id=f"{n}")
            assert client.flush(5)
        assert fates(client) == {"queued": 100, "accepted": 99, "rejected": 1}
    (event, why), *others = told
    assert (event["id"], others) == ("13", [])
    assert why == "400: the body is not to my taste"


def test_one_event_that_the_server_cannot_bear_does_not_hold_up_the_rest() -> None:
    def make(asked: Asked, number: int) -> bytes:
        bad = any(one.get("id") == "13" for one in asked.body)
        return http(500, {"error": "internal error"}) if bad else accepted(asked)

    with peer(answers(make)) as server, Croupier(server.url, DEFAULTS, exit_timeout=0.1) as client:
        for n in range(100):
            client.outcome(SEEN, "click", id=f"{n}")
        wait_for(lambda: client.flush(0.1) or fates(client).get("accepted") == 99, 30)
        assert fates(client)["waiting"] == 1


def test_the_oldest_go_when_there_is_no_room(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server((HOST, 0)) as gone:
        port = gone.getsockname()[1]
    with Croupier(f"http://{HOST}:{port}", DEFAULTS, buffer=100, batch=40) as client:
        for n in range(250):
            client.outcome(SEEN, "click", id=f"{n}")
        wait_for(lambda: "resent" in fates(client))
        found = fates(client)
        assert (found["queued"], found["dropped"], found["waiting"]) == (250, 150, 100)
        with peer(answers(lambda asked, _: accepted(asked)), port) as server:
            assert client.flush(10)
            ids = [one["id"] for one in arrived(server)]
        assert len(ids) == len(set(ids)) == 100
        assert set(ids) >= {f"{n}" for n in range(190, 250)}
        assert fates(client)["accepted"] == 100
    told = [one.getMessage() for one in caplog.records]
    assert sum("no room" in one for one in told) == 1


def test_a_full_buffer_whose_events_are_all_being_sent_drops_the_new_one() -> None:
    with (
        peer(hangs) as server,
        Croupier(server.url, DEFAULTS, buffer=3, batch=3, **QUICK) as client,  # type: ignore[arg-type]
    ):
        for _ in range(3):
            client.impression(SEEN)
        wait_for(lambda: bool(server.asked))
        client.impression(SEEN)
        assert fates(client) == {"queued": 4, "dropped": 1, "waiting": 3}


@pytest.mark.parametrize("behave", [hangs, is_deaf, closes(b"")])
def test_closing_waits_no_longer_than_it_may(behave: Any) -> None:
    with peer(behave) as server:
        client = Croupier(server.url, DEFAULTS, **QUICK)  # type: ignore[arg-type]
        for _ in range(10):
            client.impression(SEEN)
        began = time.monotonic()
        client.close()
        assert time.monotonic() - began < 1.5
        assert fates(client)["lost"] == 10
        assert "waiting" not in fates(client)


def test_reporting_never_waits_for_a_server_that_hangs() -> None:
    with peer(hangs) as server, Croupier(server.url, DEFAULTS, exit_timeout=0.1) as client:
        client.impression(SEEN)
        wait_for(lambda: bool(server.asked))
        began = time.monotonic()
        for _ in range(10_000):
            client.outcome(SEEN, "click")
        assert time.monotonic() - began < 2.0


def test_a_client_that_is_forgotten_sends_what_it_has_and_ends_its_thread() -> None:
    with peer(answers(lambda asked, _: accepted(asked))) as server:
        client = Croupier(server.url, DEFAULTS, linger=5.0)
        client.impression(SEEN)
        thread = client._outbox._thread
        assert thread is not None
        assert thread.is_alive()
        forgotten = weakref.ref(client)
        del client
        gc.collect()
        assert forgotten() is None
        thread.join(5)
        assert not thread.is_alive()
        assert len(arrived(server)) == 1


def test_the_callback_may_use_the_client() -> None:
    done = threading.Event()

    def take(event: dict[str, Any], why: str) -> None:
        assert not client.flush(5)
        client.outcome(SEEN, "told")
        done.set()

    def make(asked: Asked, number: int) -> bytes:
        bad = [{"index": 0, "reason": "old"}] if number == 1 else []
        return http(202, {"accepted": len(asked.body) - len(bad), "rejected": bad})

    with peer(answers(make)) as server:
        with Croupier(server.url, DEFAULTS, on_rejected=take) as client:
            client.impression(SEEN)
            assert done.wait(5)
        assert arrived(server)[-1]["kind"] == "told"


class Moody:
    """Answers anything, takes what it says that it takes, and sometimes more."""

    def __init__(self, seed: int) -> None:
        self._dice, self._lock = random.Random(seed), threading.Lock()
        self.taken: set[str] = set()

    def __call__(self, asked: Asked, number: int) -> bytes | None:
        with self._lock:
            roll, status = self._dice.random(), self._dice.choice([500, 502, 404, 413, 400])
        if roll < 0.1:
            return None
        if roll < 0.3:
            return http(status, {"error": "no"} if roll < 0.2 else b"")
        if roll < 0.4:
            return http(503, {}, "Retry-After: 0")
        self.taken |= {one["id"] for one in asked.body}
        return accepted(asked) if roll < 0.9 else None


PARTS = ("accepted", "rejected", "dropped", "lost", "waiting")


@pytest.mark.parametrize("seed", range(5))
def test_every_event_has_one_fate(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is answered, to however many threads: the accounts agree, with the server's too."""
    caplog.set_level(logging.CRITICAL)
    moody = Moody(seed)
    with peer(answers(moody)) as server:
        client = Croupier(server.url, DEFAULTS, buffer=400, batch=20, **QUICK)  # type: ignore[arg-type]

        def report(place: int) -> None:
            for n in range(100):
                client.outcome(SEEN, "click", id=f"{place}-{n}")
                time.sleep(0.001)

        threads = [threading.Thread(target=report, args=(place,)) for place in range(8)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            found = fates(client)
            assert found.get("queued", 0) == sum(found.get(part, 0) for part in PARTS)
            client.flush(0.01)
        client.close()
        found = fates(client)
    assert found["queued"] == 800 == sum(found.get(part, 0) for part in PARTS)
    assert found["accepted"] <= len(moody.taken)
    assert len(moody.taken) <= found["accepted"] + found.get("lost", 0) + found.get(
        "dropped", 0
    ) + found.get("rejected", 0)
