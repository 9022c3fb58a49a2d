"""The command line as a user meets it: in this process where that will do, else in its own."""

import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from croupier.cli import main


class Outcome(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """What it printed, as the one JSON value that it must be."""
        return json.loads(self.out)


class CommandLine:
    """Runs `croupier …` here: the same `main`, with its arguments and its exit code."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: object) -> Outcome:
        """Run, and tell how it ended."""
        self._monkeypatch.setattr(sys, "argv", ["croupier", *map(str, words)])
        self._capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        captured = self._capsys.readouterr()
        return Outcome(code, captured.out, captured.err)


class Up:
    """A `croupier up` in a process of its own."""

    def __init__(self, folder: Path, *words: str) -> None:
        command = [sys.executable, "-m", "croupier", "up", "--port", "0", *words]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def listen(self) -> int:
        """The port, once it listens."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), line
        return int(line.rsplit(":", 1)[1])

    def end(self) -> Outcome:
        """Wait until it has ended."""
        out, err = self.process.communicate(timeout=20)
        return Outcome(self.process.returncode, out, err)

    def close(self) -> None:
        """Leave nothing running."""
        if self.process.poll() is None:
            self.process.kill()
        self.end()


def post(port: int, path: str, body: object) -> tuple[int, Any]:
    """Status and JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", path, json.dumps(body))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
