"""Whatever the server does, the page gets an arm in time, and nothing is raised into it."""

import json
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from croupier.client import Croupier
from tests.client.peers import (
    DECIDED,
    DEFAULTS,
    HOST,
    NAME,
    Behaviour,
    answers,
    closes,
    drips,
    hangs,
    http,
    is_deaf,
    peer,
    repeats,
    resets,
    says,
    wait_for,
)

TIMEOUT = 0.2
GOOD = http(200, DECIDED)
ENDLESS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def but(**changed: object) -> Behaviour:
    return says(http(200, DECIDED | changed))


def shown(**changed: object) -> Behaviour:
    return but(slate=[DECIDED["slate"][0] | changed])  # type: ignore[index]


BROKEN: dict[str, tuple[Behaviour, str]] = {
    "hangs": (hangs, "timeout"),
    "does not read": (is_deaf, "timeout"),
    "drips its head": (drips(b"HTTP/1.1 200 OK\r\nx-head: " + b"a" * 500), "timeout"),
    "drips its body": (drips(GOOD), "timeout"),
    "never ends its head": (repeats(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"), "garbage"),
    "sends an endless line": (repeats(b"HTTP/1.1 200 OK\r\nx: ", b"a" * 9_999), "garbage"),
    "continues for ever": (repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "timeout"),
    "never ends its body": (repeats(ENDLESS, b"5\r\naaaaa\r\n"), "timeout"),
    "sends a huge body": (repeats(ENDLESS, b"f4240\r\n" + b"a" * 10**6 + b"\r\n"), "garbage"),
    "announces a huge body": (
        says(b"HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n"),
        "garbage",
    ),
    "resets": (resets, "unreachable"),
    "closes": (closes(b""), "unreachable"),
    "closes within the head": (closes(GOOD[:20]), "garbage"),
    "closes within the body": (closes(GOOD[:-20]), "unreachable"),
    "speaks another language": (closes(b"\x15\x03\x01\x00\x02\x02\x16" * 9), "garbage"),
    "says 500": (says(http(500, {"error": "internal error"})), "server_error"),
    "says 503": (says(http(503, {"error": "away"}, "retry-after: 9")), "server_error"),
    "says 429": (says(http(429, {"error": "slower"})), "server_error"),
    "redirects": (says(http(302, b"", "location: http://127.0.0.1:1/")), "server_error"),
    "says 204": (says(b"HTTP/1.1 204 No Content\r\n\r\n"), "server_error"),
    "does not know it": (says(http(404, {"error": "no experiment"})), "refused"),
    "is another's 404": (says(http(404, b"<html>")), "server_error"),
    "says HTML": (says(http(200, b"<html>Please log in")), "garbage"),
    "says bad UTF-8": (says(http(200, b'{"arm": "\xff"}')), "garbage"),
    "says deep JSON": (says(http(200, b"[" * 100_000)), "garbage"),
    "says null": (says(http(200, None)), "garbage"),
    "says an array": (says(http(200, [DECIDED])), "garbage"),
    "says nothing": (says(http(200, b"")), "garbage"),
    "lacks a token": (but(token=""), "garbage"),
    "has a number for a token": (but(token=7), "garbage"),
    "shows nothing": (but(slate=[]), "garbage"),
    "shows an arm without a name": (shown(arm=None), "garbage"),
    "shows what cannot be": (shown(propensity=0.0), "garbage"),
    "is not sure that it is a number": (shown(propensity=float("nan")), "garbage"),
    "is endless": (but(version=float("inf")), "garbage"),
    "decides for others": (but(experiment="banner"), "garbage"),
}


def timed(client: Croupier, **asked: Any) -> tuple[Any, float]:
    began = time.monotonic()
    decided = client.decide(NAME, "u-1", **asked)
    return decided, time.monotonic() - began


@pytest.mark.parametrize("what", BROKEN)
def test_a_server_that(what: str) -> None:
    behave, reason = BROKEN[what]
    with peer(behave) as server, Croupier(server.url, DEFAULTS, TIMEOUT) as client:
        decided, took = timed(client)
        assert (decided.arm, decided.is_default, decided.token) == ("install", True, "")
        assert decided.reason == reason, decided.detail
        assert decided.detail
        assert took <= 3 * TIMEOUT
        client.impression(decided)
        client.outcome(decided, "click")
        stats = client.stats()
        assert stats["defaulted"] == stats[f"defaulted_{reason}"] == 1
        assert (stats["events_skipped"], stats["events_queued"]) == (2, 0)


def test_nobody_listens() -> None:
    with socket.create_server((HOST, 0)) as gone:
        port = gone.getsockname()[1]
    with Croupier(f"http://{HOST}:{port}", DEFAULTS, TIMEOUT) as client:
        decided, took = timed(client)
    assert (decided.arm, decided.reason) == ("install", "unreachable")
    assert took <= TIMEOUT


@pytest.mark.skipif(sys.platform != "linux", reason="how a full queue behaves is the system's")
def test_nobody_takes_the_connection() -> None:
    with ExitStack() as stack:
        full = stack.enter_context(socket.create_server((HOST, 0), backlog=0))
        for _ in range(3):
            link = stack.enter_context(socket.socket())
            link.setblocking(False)
            link.connect_ex(full.getsockname())
        with Croupier(f"http://{HOST}:{full.getsockname()[1]}", DEFAULTS, TIMEOUT) as client:
            decided, took = timed(client)
    assert decided.reason == "timeout"
    assert took <= 3 * TIMEOUT


def test_a_name_that_is_looked_up_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def look_up(*_: object, **__: object) -> list[Any]:
        over.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with Croupier("http://some.example", DEFAULTS, TIMEOUT) as client:
        decided, took = timed(client)
        assert decided.reason == "timeout"
        assert took <= 3 * TIMEOUT
        over.set()


def test_a_name_that_does_not_exist() -> None:
    with Croupier("http://no-such-host.invalid", DEFAULTS, 5.0) as client:
        assert client.decide(NAME, "u-1").reason == "unreachable"


def test_a_name_of_which_one_address_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    with peer(says(GOOD)) as server:
        found: list[Any] = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", server.port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (HOST, server.port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with Croupier(f"http://two.example:{server.port}", DEFAULTS, 1.0) as client:
            assert not client.decide(NAME, "u-1").is_default
            assert client._wire._dial._addresses._known[0].place == (HOST, server.port)


def test_a_decision_is_what_the_server_says() -> None:
    slate = [{"arm": arm, "slot": slot, "propensity": 0.25} for slot, arm in enumerate("ba")]
    with peer(but(slate=slate, reason="holdout", degraded=True, news=[1])) as server:
        gateway = {"Authorization": "Bearer k"}
        with Croupier(server.url + "/base/", DEFAULTS, headers=gateway) as client:
            decided = client.decide(NAME, "u-1", eligible=("a", "b"), exclude={"c"})
            client.decide("café/1", "ü", default="x")
    assert not decided.is_default
    assert (decided.arm, decided.reason, decided.version) == ("b", "holdout", 1)
    assert [(one.arm, one.slot, one.propensity) for one in decided.slate] == [
        ("b", 0, 0.25),
        ("a", 1, 0.25),
    ]
    assert decided.degraded
    first, second = server.asked
    assert first.path == f"/base/v1/experiments/{NAME}/decide"
    assert first.body == {"unit": "u-1", "eligible": ["a", "b"], "exclude": ["c"]}
    assert "\r\nauthorization: Bearer k" in first.headers
    assert second.path == "/base/v1/experiments/caf%C3%A9%2F1/decide"


def test_answers_in_chunks_are_read_and_the_connection_is_kept() -> None:
    raw = json.dumps(DECIDED).encode()
    chunked = ENDLESS + b"%x\r\n%s\r\n0\r\n\r\n" % (len(raw), raw)
    with peer(says(chunked)) as server, Croupier(server.url, DEFAULTS) as client:
        assert not any(client.decide(NAME, f"u-{n}").is_default for n in range(10))
        assert server.connections == client.stats()["connections"] == 1


def test_a_connection_that_the_server_closed_meanwhile_is_replaced() -> None:
    with peer(closes(GOOD)) as server, Croupier(server.url, DEFAULTS) as client:
        for n in range(5):
            assert not client.decide(NAME, f"u-{n}").is_default
            time.sleep(0.01 * (n % 2))  # noticed before sending, or while
        assert server.connections == 5


def test_slates_have_a_list_of_defaults() -> None:
    client = Croupier(f"http://{HOST}:9", {NAME: ["a", "b"]})
    assert [one.arm for one in client.decide(NAME, "u").slate] == ["a", "b"]
    assert [one.arm for one in client.decide(NAME, "u", default=["c"]).slate] == ["c"]
    client.close()


def test_wrong_use_is_told_and_shows_the_default(caplog: pytest.LogCaptureFixture) -> None:
    with peer(says(GOOD)) as server, Croupier(server.url, DEFAULTS) as client:
        undeclared = client.decide("other", "u")
        assert (undeclared.arm, undeclared.reason, undeclared.slate) == ("", "undeclared", ())
        assert client.decide("other", "u", default="x").arm == "x"
        assert client.decide(NAME, object()).reason == "error"  # type: ignore[arg-type]
        assert client.decide(NAME, "u", eligible=7).reason == "error"  # type: ignore[arg-type]
        client.impression(None)  # type: ignore[arg-type]
        client.close()
        client.close()
        assert client.decide(NAME, "u").reason == "closed"
        client.impression("token")
        assert client.stats()["events_lost"] == 1
    told = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert len(told) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "127.0.0.1:8080"},
        {"url": "ftp://host"},
        {"url": "http://"},
        {"url": "http://me:secret@host"},
        {"url": "http://host:port"},
        {"timeout": 0},
        {"buffer": 0},
        {"headers": {"x": "a\r\nb: c"}},
        {"headers": {"x": "日"}},
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Croupier(**({"url": f"http://{HOST}", "defaults": DEFAULTS} | wrong))


def test_exposed_reports_what_was_decided_in_time_and_nothing_else() -> None:
    def make(asked: Any, number: int) -> bytes:
        if asked.path.endswith("/events"):
            return http(202, {"accepted": len(asked.body), "rejected": []})
        return GOOD if number == 1 else http(500, {})

    with peer(answers(make)) as server, Croupier(server.url, DEFAULTS) as client:
        assert not client.decide(NAME, "u-1", exposed=True).is_default
        assert client.decide(NAME, "u-1", exposed=True).is_default
        assert client.flush(5)
        assert "exposed" not in server.asked[0].body
        events = [one for asked in server.asked[2:] for one in asked.body]
        assert [(one["kind"], one["token"]) for one in events] == [("impression", "AQEB")]


# --- the circuit ----------------------------------------------------------------------------------


def test_the_circuit_opens_probes_and_closes(caplog: pytest.LogCaptureFixture) -> None:
    well = threading.Event()

    def make(asked: Any, number: int) -> bytes:
        return GOOD if well.is_set() else http(500, {})

    with (
        peer(answers(make)) as server,
        Croupier(server.url, DEFAULTS, failures=3, pause=0.1) as client,
    ):
        reasons = [client.decide(NAME, "u").reason for _ in range(50)]
        assert reasons[:3] == ["server_error"] * 3
        assert set(reasons[3:]) == {"circuit_open"}
        assert len(server.asked) == 3
        wait_for(lambda: client.decide(NAME, "u").reason == "server_error")
        assert client.decide(NAME, "u").reason == "circuit_open"
        well.set()
        wait_for(lambda: not client.decide(NAME, "u").is_default)
        assert not any(client.decide(NAME, "u").is_default for _ in range(20))
        stats = client.stats()
    assert stats["circuit_opened"] == 1
    assert stats["circuit_probes"] == 2
    assert stats["circuit_is_open"] == 0
    assert stats["defaulted_circuit_open"] + 4 == stats["defaulted"]
    told = [one.getMessage() for one in caplog.records]
    assert len(told) == 2, told


def test_a_refusal_says_that_the_server_is_well() -> None:
    with (
        peer(says(http(404, {"error": "no experiment"}))) as server,
        Croupier(server.url, DEFAULTS, failures=2) as client,
    ):
        assert {client.decide(NAME, "u").reason for _ in range(9)} == {"refused"}


def test_a_hung_server_costs_many_threads_little() -> None:
    with (
        peer(hangs) as server,
        Croupier(server.url, DEFAULTS, TIMEOUT, failures=4, pause=0.2) as client,
    ):
        worst = [0.0] * 32

        def call(place: int) -> None:
            for _ in range(300):
                decided, took = timed(client)
                assert decided.is_default
                worst[place] = max(worst[place], took)

        began = time.monotonic()
        threads = [threading.Thread(target=call, args=(place,)) for place in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stats = client.stats()
        assert stats["defaulted"] == 32 * 300
        assert max(worst) <= 3 * TIMEOUT
        assert time.monotonic() - began < 300 * TIMEOUT / 4
        # Only those before it opened, and one probe at a time.
        assert server.connections <= 32 + 3 + stats["circuit_probes"]


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = str(tmp_path_factory.mktemp("tls") / "both.pem")
    asked = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=here"
    command = ["openssl", *asked.split(), "-addext", f"subjectAltName=IP:{HOST}"]
    try:
        subprocess.run(
            [*command, "-keyout", file, "-out", file + ".crt"], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs openssl to make a certificate")
    return file


@contextmanager
def tls_peer(certificate: str) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate + ".crt", certificate)

    def behave(self: Any, link: socket.socket) -> None:
        link.settimeout(10)
        with context.wrap_socket(link, server_side=True) as safe:
            while self.read(safe):
                safe.sendall(GOOD)

    with peer(behave) as server:
        yield server.url.replace("http:", "https:")


def test_tls_trusts_whom_it_is_told_to(certificate: str) -> None:
    trusting = ssl.create_default_context(cafile=certificate + ".crt")
    with tls_peer(certificate) as url:
        with Croupier(url, DEFAULTS, 5.0, tls=trusting) as client:
            found = [client.decide(NAME, f"u-{n}") for n in range(5)]
            assert not any(one.is_default for one in found), found[0]
            assert client.stats()["connections"] == 1
        with Croupier(url, DEFAULTS, 5.0) as client:
            decided = client.decide(NAME, "u")
            assert decided.reason == "unreachable"
            assert "certificate" in decided.detail


@pytest.mark.parametrize(("behave", "reason"), [(is_deaf, "timeout"), (says(GOOD), "unreachable")])
def test_tls_with_whom_does_not_speak_it(behave: Behaviour, reason: str) -> None:
    def raw(self: Any, link: socket.socket) -> None:
        if behave is is_deaf:
            is_deaf(self, link)
        link.recv(99)
        link.sendall(GOOD)

    with peer(raw) as server:
        client = Croupier(server.url.replace("http:", "https:"), DEFAULTS, TIMEOUT)
        decided, took = timed(client)
    assert decided.reason == reason, decided.detail
    assert took <= 3 * TIMEOUT


# --- it stands alone ------------------------------------------------------------------------------


def test_it_needs_the_standard_library_only() -> None:
    script = (
        "import sys, croupier.client;"
        "tops = {name.partition('.')[0] for name in sys.modules};"
        "print(sorted(tops - set(sys.stdlib_module_names) - {'croupier'}),"
        " sorted(name for name in sys.modules if name.startswith('croupier.')"
        " and not name.startswith('croupier.client')))"
    )
    path = [one for one in sys.path if one.endswith("src")]
    ran = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {path!r}; {script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() in {"[] []", "['__main__'] []"}
