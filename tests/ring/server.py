"""A real `croupier up` process that can be killed and started again on the same file and port."""

import http.client
import json
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
_READY_SECONDS = 40.0
_UP = "from croupier.cli import main; main()"
_SAVING = "from croupier.runners import open_stories as o; o.SAVE_EVERY = 500; o.WORTH_SAVING = 0; "
"""So that the copy of the open stories, meant for stories of many minutes, is in play here too."""


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Server:
    """One data file, one port, and the process that holds them now, if any."""

    def __init__(self, folder: Path, toml: str) -> None:
        self.config, self.data = folder / "croupier.toml", folder / "croupier.db"
        self.wal, self.log = folder / "croupier.db-wal", folder / "server.log"
        self.config.write_text(toml)
        self.port = free_port()
        self.ready_at = 0.0
        self._process: subprocess.Popen[str] | None = None

    def spawn(self, *, saving: bool = False) -> None:
        """Start the process without waiting for it.

        `saving` copies open stories all the time, and recovers from such a copy; else there is
        none, and the log must be read again.
        """
        assert self._process is None
        if not saving:
            self.data.with_name(self.data.name + ".open").unlink(missing_ok=True)
        command = [sys.executable, "-c", _SAVING + _UP if saving else _UP, "up"]
        command += ["--config", str(self.config), "--data", str(self.data)]
        command += ["--host", HOST, "--port", str(self.port)]
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1
            )

    def wait(self) -> None:
        """Return when it says that it listens, and /readyz agrees."""
        line = self._first_line()
        assert line == f"listening on http://{HOST}:{self.port}\n", f"{line!r}\n{self.tail()}"
        deadline = time.monotonic() + _READY_SECONDS
        while self.ask("/readyz")[0] != 200:
            assert time.monotonic() < deadline, f"never ready\n{self.tail()}"
            time.sleep(0.02)
        self.ready_at = time.monotonic()

    def start(self, *, saving: bool = False) -> None:
        """Start, and wait until it is ready."""
        self.spawn(saving=saving)
        self.wait()

    def kill(self) -> None:
        """Kill −9; whatever it was doing, it does no more."""
        code = self._end(signal.SIGKILL)
        assert code == -signal.SIGKILL, f"it had ended by itself: {code}\n{self.tail()}"

    def terminate(self) -> int:
        """Ask it to stop; its exit code."""
        return self._end(signal.SIGTERM)

    def close(self) -> None:
        """Leave nothing running, whatever happened."""
        if self._process is not None:
            self._end(signal.SIGKILL)

    def ask(self, path: str) -> tuple[int, Any]:
        """GET: status and JSON; (0, None) when nobody answers."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=20)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", path)
            answer = connection.getresponse()
            body = json.loads(answer.read())
            connection.close()
            return answer.status, body
        connection.close()
        return 0, None

    def tail(self, lines: int = 30) -> str:
        """The last lines that it logged."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _first_line(self) -> str:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=lambda: lines.put(process.stdout.readline()), daemon=True).start()  # type: ignore[union-attr]
        try:
            return lines.get(timeout=_READY_SECONDS)
        except queue.Empty:
            raise AssertionError(f"it never listened\n{self.tail()}") from None

    def _end(self, sign: signal.Signals) -> int:
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(sign)
        try:
            return process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"it did not end on {sign.name}\n{self.tail()}") from None
        finally:
            if process.stdout is not None:
                process.stdout.close()
