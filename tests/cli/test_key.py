"""croupier key: made once, checked against croupier.toml; and where `up` refuses to listen."""

import io
import sys
from pathlib import Path

import pytest

from croupier.config.settings import parse_settings
from croupier.core.api_key import digest_of
from croupier.runners.reach import is_loopback
from tests.apps.guarded import GUARDED, KEYS, OVER
from tests.apps.house import SINGLE, a_house, listening
from tests.cli.command import CommandLine


def test_a_new_key_is_printed_once_with_the_lines_for_the_file(
    croupier: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = croupier("key", "new", "--scope", "decide", "--scope", "ingest", "--name", "web")
    key, _, lines = found.out.partition("\n")
    assert key.startswith("cr_dec_ing_")
    assert key not in lines
    (made,) = parse_settings(SINGLE + lines).api_keys
    assert (made.name, made.scopes, made.digest) == ("web", ("decide", "ingest"), digest_of(key))
    (tmp_path / "croupier.toml").write_text(SINGLE + lines)
    monkeypatch.setenv("CROUPIER_API_KEY", key)
    checked = croupier("key", "check", "--config", tmp_path / "croupier.toml")
    assert (checked.code, checked.out) == (0, "web: decide, ingest\n")
    assert croupier("key", "new", "--scope", "admin", "--name", "a", "--json").json()["key"] != key


@pytest.mark.parametrize(("key", "code"), [(KEYS["admin"], 0), (OVER, 1), ("nonsense", 1), ("", 1)])
def test_a_key_is_checked_from_standard_input(
    croupier: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, code: int
) -> None:
    (tmp_path / "croupier.toml").write_text(GUARDED)
    monkeypatch.delenv("CROUPIER_API_KEY", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{key}\n"))
    found = croupier("key", "check", "--config", tmp_path / "croupier.toml")
    assert found.code == code
    assert KEYS["admin"] not in found.out + found.err


@pytest.mark.parametrize(
    "words", [["new"], ["new", "--name", "x"], ["new", "--scope", "admin", "--name", "config"]]
)
def test_what_cannot_be_a_key_is_refused(croupier: CommandLine, words: list[str]) -> None:
    assert croupier("key", *words).code == 2


def test_commands_bring_their_key(
    croupier: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_house(tmp_path / "croupier.db", GUARDED) as house, listening(house) as port:
        at = ("--server", f"http://127.0.0.1:{port}")
        assert croupier("arms", "top-button", "pause", "install", *at).code == 2
        monkeypatch.setenv("CROUPIER_API_KEY", KEYS["admin"])
        paused = croupier("arms", "top-button", "pause", "install", "--by", "ana", *at)
        assert "pause install (by admin, who said ana)" in paused.out
        listed = croupier("audit", *at)
        assert 'arms: {"install": "active"} → {"install": "paused"}' in listed.out
        monkeypatch.setenv("CROUPIER_API_KEY", "line\nbreak")
        broken = croupier("audit", *at)
        assert (broken.code, "break" in broken.out + broken.err) == (2, False)
        found = croupier("audit", *at, "--api-key", KEYS["decide"])
        assert "has not the scope admin" in found.err


def test_up_refuses_to_be_open_to_others(croupier: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "croupier.toml").write_text(SINGLE)
    data = tmp_path / "croupier.db"
    found = croupier(
        "up", "-c", tmp_path / "croupier.toml", "-d", data, "--host", "0.0.0.0", "--port", 0
    )
    assert found.code == 2
    assert "croupier key new" in found.err
    assert not data.exists()


def test_doctor_says_what_is_open(croupier: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "croupier.toml"

    def failing(toml: str, host: str) -> str:
        file.write_text(toml)
        found = croupier("doctor", "-c", file, "-d", tmp_path / "new.db", "--host", host)
        return "\n".join(line for line in found.out.splitlines() if line.startswith("FAIL"))

    limits = '[limits]\ndecide = "9/s"\nevents = "9/s"\n'
    keys = GUARDED.split('[[api_key]]\nname = "over"')[0]
    assert failing(SINGLE, "127.0.0.1") == ""
    assert "no API key" in failing(SINGLE, "0.0.0.0")
    assert "[limits]" in failing(keys, "0.0.0.0")
    assert failing(keys + limits, "0.0.0.0") == ""
    assert "over: admin, has expired" in failing(GUARDED + limits, "0.0.0.0")
    assert "no API key" in failing(SINGLE + "[server]\ninsecure = true\n", "127.0.0.1")


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.8.8.8", True), ("::1", True), ("", False), ("::", False), ("shop.example", False)],
)
def test_loopback_is_known(host: str, here: bool) -> None:
    assert is_loopback(host) is here
