"""croupier up: refuses what cannot be, ends in order, and loses nothing when it is killed."""

import socket
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from croupier.core import codec
from croupier.core.records import Event
from tests.apps.house import SINGLE, TOP_BUTTON
from tests.cli.command import CommandLine, Up, post

DECIDE = "/v1/experiments/top-button/decide"


@pytest.mark.parametrize(
    ("toml", "lines"),
    [
        (TOP_BUTTON.replace('default = "install"', 'default = "x"') + "[serve]\n", 2),
        ("", 1),
        ("[[experiment", 1),
        (None, 1),
    ],
)
def test_a_bad_file_ends_with_2_and_one_line_a_problem(
    croupier: CommandLine, tmp_path: Path, toml: str | None, lines: int
) -> None:
    file = tmp_path / "shop.toml"
    if toml is not None:
        file.write_text(toml)
    found = croupier("up", "--config", file, "--data", tmp_path / "shop.db", "--port", 0)
    assert found.code == 2
    assert found.out == ""
    assert len(found.err.splitlines()) == lines
    assert all(line.startswith(f"{file}: ") for line in found.err.splitlines())
    assert [each.name for each in tmp_path.iterdir()] == (["shop.toml"] if toml is not None else [])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("croupier.db", "text", "Restore it from a backup; or start with --new-keys"),
        ("croupier.db.keys", "text", "not a keys file"),
        ("croupier.db/x", "", "croupier.db"),
    ],
)
def test_what_cannot_be_opened_ends_with_2_and_no_traceback(
    croupier: CommandLine, tmp_path: Path, name: str, content: str, said: str
) -> None:
    (tmp_path / "croupier.toml").write_text(TOP_BUTTON)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    words = ("--config", tmp_path / "croupier.toml", "--data", tmp_path / "croupier.db")
    found = croupier("up", *words, "--port", 0)
    assert (found.code, len(found.err.splitlines())) == (2, 1)
    assert said in found.err


def test_an_impossible_key_number_ends_with_2(
    croupier: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "croupier.toml").write_text(TOP_BUTTON)
    monkeypatch.setenv("CROUPIER_TOKEN_KEYS", f"300:{'11' * 32}")
    monkeypatch.setenv("CROUPIER_UNIT_KEY", "22" * 32)
    words = ("--config", tmp_path / "croupier.toml", "--data", tmp_path / "croupier.db")
    assert croupier("up", *words, "--port", 0).code == 2


@pytest.mark.kill
def test_a_stop_under_load_loses_nothing_that_was_accepted(tmp_path: Path) -> None:
    """SIGTERM while four callers report; what was answered 202 is in the file."""
    (tmp_path / "croupier.toml").write_text(SINGLE)
    up = Up(tmp_path, "--log-level", "warning")
    try:
        accepted = terminated_under_load(up)
        assert events(tmp_path) >= accepted > 0
    finally:
        up.close()


@pytest.mark.kill
def test_a_kill_right_after_an_answer_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "croupier.toml").write_text(SINGLE)
    up = Up(tmp_path)
    try:
        port = up.listen()
        _, decision = post(port, DECIDE, {"unit": "u"})
        status, _ = post(port, "/v1/events", [{"kind": "click", "token": decision["token"]}] * 7)
        up.process.kill()
        assert status == 202
        assert up.end().code == -9
        assert events(tmp_path) == 7
    finally:
        up.close()


def test_a_busy_port_is_said_without_a_traceback(
    croupier: CommandLine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "croupier.toml").write_text(SINGLE)
    words = ("--config", tmp_path / "croupier.toml", "--data", tmp_path / "croupier.db")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = croupier("up", *words, "--port", port)
    assert found.code not in {0, None}
    assert found.out == ""
    assert "Address already in use" in caplog.text + found.err
    assert str(port) in caplog.text + found.err
    assert "Traceback" not in caplog.text + found.err
    assert [each.name for each in tmp_path.iterdir()] == ["croupier.toml"]


def test_a_port_that_cannot_be_is_refused(croupier: CommandLine, tmp_path: Path) -> None:
    found = croupier("up", "--config", tmp_path / "none.toml", "--port", 70_000)
    assert found.code == 2
    assert "--port" in found.err


def terminated_under_load(up: Up) -> int:
    """How many events were answered 202 by a server that was told to stop meanwhile."""
    port, accepted = up.listen(), []

    def report() -> None:
        _, decision = post(port, DECIDE, {"unit": "u", "exposed": True})
        while True:
            try:
                status, answer = post(
                    port, "/v1/events", [{"kind": "click", "token": decision["token"]}] * 3
                )
            except (OSError, ValueError):
                return
            if status == 202:
                accepted.append(answer["accepted"])

    callers = [threading.Thread(target=report) for _ in range(4)]
    for caller in callers:
        caller.start()
    while len(accepted) < 30:
        time.sleep(0.005)
    up.process.terminate()
    for caller in callers:
        caller.join()
    ended = up.end()
    assert ended.code in {0, -15}
    assert "Traceback" not in ended.err
    return sum(accepted)


def events(folder: Path) -> int:
    """How many events the file holds."""
    connection = sqlite3.connect(f"file:{folder / 'croupier.db'}?mode=ro", uri=True)
    payloads = [row[0] for row in connection.execute("SELECT payload FROM log_events")]
    connection.close()
    return sum(isinstance(record, Event) for record in codec.decode_all(payloads))
