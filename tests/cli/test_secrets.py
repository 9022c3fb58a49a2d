"""Secrets never in a log: a real server with keys is made to fail, and all it says is searched."""

import json
import sqlite3
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from croupier.config.keys import Keys, load_keys
from croupier.config.settings import load_settings
from tests.apps.guarded import GUARDED, KEYS, NARROW, OVER, api_key
from tests.apps.house import NAME, SINGLE
from tests.cli.command import CommandLine, Up

FULL = [*KEYS.values(), NARROW, OVER, "cr_adm_" + "guessed" * 6]


def damage(file: Path) -> None:
    """Take a table away under the server's feet, and spoil another."""
    connection = sqlite3.connect(file, timeout=10)
    connection.execute("ALTER TABLE log_events RENAME TO away")
    connection.execute("UPDATE log_arms SET payload = x'c1'")
    connection.commit()
    connection.close()


def ask(port: int, path: str, key: str = "", body: object = None) -> str:
    """Status, headers and body, whatever they are."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {key}", "x-note": key} if key else {}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return f"{answer.status} {answer.headers} {answer.read().decode()}"
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.code} {error.headers} {error.read().decode()}"


@pytest.mark.kill
def test_nothing_that_a_failing_server_says_holds_a_secret(
    croupier: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "croupier.toml").write_text(GUARDED + '[limits]\ndecide = "3/h"\n')
    server, said = Up(tmp_path, "--log-level", "debug"), []
    try:
        port = server.listen()
        decide = f"/v1/experiments/{NAME}/decide"
        admin = KEYS["admin"]
        token = json.loads(ask(port, decide, admin, {"unit": "u"}).rpartition("\n")[2])["token"]
        plain = {"kind": "click", "experiment": NAME, "tracking_id": "t", "decided_at": 1}
        for key in FULL:
            said += [
                ask(port, decide, key, {"unit": "u"}),
                ask(port, decide, key, b"{"),
                ask(port, "/v1/events", key, [{"kind": "click", "token": token[:-3] + "AAA"}]),
                ask(port, "/v1/events", key, [plain]),
                ask(port, f"/v1/experiments/{NAME}/arms", key, {"change": "pause", "arm": "no"}),
                ask(port, "/v1/audit", key),
                ask(port, "/nothing", key),
            ]
        damage(tmp_path / "croupier.db")
        said += [
            ask(port, "/v1/events", admin, [{"kind": "impression", "token": token}]),
            *(
                ask(port, path, admin)
                for path in ("/metrics", "/healthz", "/v1/experiments", "/v1/audit")
            ),
        ]
        server.process.terminate()
        ended = server.end()
    finally:
        server.close()
    assert any(each.startswith("5") for each in said)
    doctor = croupier("doctor", "-c", tmp_path / "croupier.toml", "-d", tmp_path / "croupier.db")
    said += [ended.out, ended.err, doctor.out, doctor.err]
    assert "Traceback" in ended.err
    keys = load_keys(tmp_path / "croupier.db", {})
    said += [repr(keys), str(keys), repr(load_settings(tmp_path / "croupier.toml"))]
    everything = "\n".join(said)
    for key in FULL:
        assert key not in everything
        assert key[-20:] not in everything
    for secret in (*keys.token.values(), keys.unit):
        assert secret.hex() not in everything
        assert repr(secret)[2:-1] not in everything


@pytest.mark.parametrize("wrong", ["digest", "env"])
def test_a_key_pasted_in_the_wrong_place_is_not_repeated(
    croupier: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    toml, key = SINGLE, KEYS["admin"]
    if wrong == "digest":
        table = api_key("web", key, "admin").splitlines()
        toml += "\n".join(f'digest = "{key}"' if "digest" in line else line for line in table)
    else:
        monkeypatch.setenv("CROUPIER_API_KEYS", f"{key},web:admin:{key}")
    (tmp_path / "croupier.toml").write_text(toml)
    for command in (("up", "--port", "0"), ("doctor",), ("key", "check")):
        found = croupier(*command, "--config", tmp_path / "croupier.toml")
        assert found.code in {1, 2}
        assert "sha256:" in found.out + found.err
        assert key not in found.out + found.err


def test_keys_have_no_readable_form() -> None:
    keys = Keys({1: b"t" * 32}, b"u" * 32)
    assert "tttt" not in f"{keys!r} {keys}"
    assert "uuuu" not in f"{keys!r} {keys}"
