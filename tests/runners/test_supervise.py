"""croupier supervise: real processes that are killed, hang, refuse to start, or end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from croupier.runners.supervise.state import read_supervisor
from tests.apps.house import TOP_BUTTON
from tests.ring.server import free_port

UP = [sys.executable, "-m", "croupier", "up", "--port", "0", "--log-level", "warning"]
SUPERVISE = [sys.executable, "-m", "croupier", "supervise", "--json", "--wait", "10ms"]
SUPERVISE += ["--every", "200ms", "--timeout", "1s", "--failures", "2", "--stop", "2s"]
PATIENCE = 60.0


class Supervised:
    """A `croupier supervise` in a folder; its lines are read as they come."""

    def __init__(self, folder: Path, *words: str, command: list[str]) -> None:
        self.state = folder / "croupier.db.supervised"
        self.process = subprocess.Popen(
            [*SUPERVISE, *words, "--", *command],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[dict[str, Any]] = []

    def until(self, event: str) -> dict[str, Any]:
        """The next line of this kind."""
        assert self.process.stdout is not None
        for text in self.process.stdout:
            self.lines.append(json.loads(text))
            if self.lines[-1]["event"] == event:
                return self.lines[-1]
        raise AssertionError(f"{event} was never said: {self.lines}")

    def page(self) -> Any:
        """What the state file says of the first command."""
        return json.loads(self.state.read_text())["commands"][0]

    def end(self) -> int:
        """Its exit code; the rest of its lines."""
        out, self.err = self.process.communicate(timeout=PATIENCE)
        self.lines += [json.loads(text) for text in out.splitlines()]
        return self.process.returncode


Start = Callable[..., Supervised]


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Start]:
    running: list[Supervised] = []

    def start(*words: str, command: list[str]) -> Supervised:
        running.append(Supervised(tmp_path, *words, command=command))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.terminate()
            one.process.communicate(timeout=PATIENCE)


def script(text: str) -> list[str]:
    return ["sh", "-c", text]


@pytest.mark.kill
def test_a_killed_and_a_hung_server_are_started_again(tmp_path: Path, supervised: Start) -> None:
    (tmp_path / "croupier.toml").write_text(TOP_BUTTON)
    up = supervised("--notify", 'echo "$CROUPIER_DETAIL" >> told', command=UP)
    first = up.until("well")["pid"]
    os.kill(first, signal.SIGKILL)
    assert up.until("restart")["detail"].startswith("killed by signal 9; starting again in")
    second = up.until("well")["pid"]
    os.kill(second, signal.SIGSTOP)
    assert "/healthz: timed out" in up.until("restart")["detail"]
    assert not Path(f"/proc/{second}").exists()
    third = up.until("well")["pid"]
    assert len({first, second, third}) == 3
    assert [each["why"][:8] for each in up.page()["restarts"]] == ["killed b", "/healthz"]
    ((good, detail),) = read_supervisor(tmp_path / "croupier.db", int(time.time() * 1000))
    assert good
    assert "2 restarts in a day" in detail
    up.process.terminate()
    assert up.end() == 0
    assert up.lines[-1] == up.lines[-1] | {"event": "stopped", "detail": "ended with 0"}
    assert up.page()["state"] == "ended"
    assert len((tmp_path / "told").read_text().splitlines()) == 2


@pytest.mark.kill
def test_a_bad_configuration_is_not_started_again(tmp_path: Path, supervised: Start) -> None:
    (tmp_path / "croupier.toml").write_text(TOP_BUTTON.replace('"install"\n', '"x"\n'))
    up = supervised(command=UP)
    said = up.until("gave up")["detail"]
    assert said.startswith("exited with 2: croupier.toml: experiment")
    assert up.end() == 2
    assert [line["event"] for line in up.lines] == ["started", "gave up"]
    assert "default: 'x' is not one of the arms" in up.err
    ((good, detail),) = read_supervisor(tmp_path / "croupier.db", int(time.time() * 1000))
    assert not good
    assert "gave up, exited with 2" in detail


@pytest.mark.kill
def test_restarts_end_and_the_exit_code_says_so(supervised: Start) -> None:
    up = supervised("--restarts", "2", command=script("echo why >&2; exit 3"))
    assert up.until("gave up")["detail"] == (
        "exited with 3: why; 2 restarts within 10m did not help"
    )
    assert up.end() == 1
    assert [line["event"] for line in up.lines].count("started") == 3


@pytest.mark.kill
def test_what_ends_well_ends_all_and_signals_are_passed_on(
    tmp_path: Path, supervised: Start
) -> None:
    waits = "trap 'exit 0' USR1; echo listening on http://127.0.0.1:1; while :; do sleep 0.1; done"
    up = supervised("--patience", "1h", command=[*script(waits), "--", "sh", "-c", "exit 0"])
    up.until("ended")
    up.process.send_signal(signal.SIGUSR1)
    up.until("ended")
    assert up.end() == 0
    assert list(read_supervisor(tmp_path / "croupier.db", up.process.pid)) == [
        (True, "stopped 0s ago")
    ]


@pytest.mark.kill
def test_who_answers_that_he_is_unwell_is_left_when_restarts_do_not_help(
    tmp_path: Path, supervised: Start
) -> None:
    port = free_port()
    (tmp_path / "unwell.py").write_text(
        "from http.server import *\n"
        "class H(BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(503)\n"
        "        self.end_headers()\n"
        '        self.wfile.write(b\'{"error":"disk"}\')\n'
        f"HTTPServer(('127.0.0.1', {port}), H).serve_forever()\n"
    )
    command = [sys.executable, "unwell.py"]
    words = ("--url", f"http://127.0.0.1:{port}", "--patience", "2s", "--restarts", "0")
    up = supervised(*words, command=command)
    held = up.until("held")
    assert Path(f"/proc/{held['pid']}").exists()
    ((good, detail),) = read_supervisor(tmp_path / "croupier.db", int(time.time() * 1000))
    assert not good
    assert "unwell, /healthz: 503 disk" in detail


def test_a_supervisor_that_is_gone_is_told_of(tmp_path: Path) -> None:
    data = tmp_path / "croupier.db"
    assert list(read_supervisor(data, 0)) == []
    page = {"pid": 7, "at": 0, "every": 10_000}
    each = {"command": "croupier up", "state": "well", "why": "", "restarts": []}
    file = tmp_path / "croupier.db.supervised"
    file.write_text(json.dumps(page | {"commands": [each]}))
    found = list(read_supervisor(data, 3_600_000))
    assert found[0] == (False, "pid 7 wrote last 1h ago: is it still there?")
    file.write_text("{")
    assert [good for good, _ in read_supervisor(data, 0)] == [False]
