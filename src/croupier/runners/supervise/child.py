"""One supervised process: its output, its address, its health, its end."""

import http.client
import json
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO
from urllib.parse import urlsplit

_LISTENS = "listening on "
_LAST_LINES = 20


class Child:
    """A process in a group of its own, so that a terminal's Ctrl-C reaches it through us only."""

    def __init__(
        self, command: Sequence[str], url: str | None, out: Callable[[str], None],
        err: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.url = url
        self.said: deque[str] = deque(maxlen=_LAST_LINES)
        self._process = subprocess.Popen(  # noqa: S603 - the operator's own command
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=self._pass_on, args=(stream, show), daemon=True)
            for stream, show in ((self._process.stdout, out), (self._process.stderr, err))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """How it ended (−9: killed by signal 9), or None while it lives."""
        code = self._process.poll()
        if code is not None:
            for reader in self._readers:
                reader.join(timeout=1)
        return code

    def last_words(self) -> str:
        """The last line that it said, which is where a refused start gives its reason."""
        return self.said[-1] if self.said else "it said nothing"

    def pass_signal(self, number: int) -> None:
        """Send it a signal; no effect where it has ended."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def end(self, patience: float) -> int:
        """SIGTERM, and SIGKILL where that has no effect in `patience` seconds; its exit code."""
        self.pass_signal(signal.SIGTERM)
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.pass_signal(signal.SIGKILL)
            self._process.wait()
        return self.exit_code() or 0

    def _pass_on(self, stream: IO[str], show: Callable[[str], None]) -> None:
        for line in stream:
            text = line.rstrip("\n")
            self.said.append(text)
            if self.url is None and text.startswith(_LISTENS):
                self.url = text.removeprefix(_LISTENS).strip()
            show(text)


class Health:
    """What the doors /healthz and /readyz say; `answers` is false where nobody answered at all."""

    def __init__(self, *, answers: bool, ready: bool, reason: str) -> None:
        self.answers, self.ready, self.reason = answers, ready, reason

    @property
    def well(self) -> bool:
        """Whether both doors are content."""
        return not self.reason


def ask_health(url: str, seconds: float) -> Health:
    """Ask both doors, each within some seconds."""
    ready, reason = False, ""
    for path in ("/healthz", "/readyz"):
        try:
            status, body = _read(url, path, seconds)
        except (OSError, http.client.HTTPException) as error:
            return Health(answers=False, ready=False, reason=f"{path}: {error}")
        if status != http.HTTPStatus.OK:
            reason = reason or f"{path}: {status} {_said(body)}".strip()
        elif path == "/readyz":
            ready = True
    return Health(answers=True, ready=ready, reason=reason)


def _read(url: str, path: str, seconds: float) -> tuple[int, bytes]:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=seconds)
    try:
        connection.request("GET", parts.path.rstrip("/") + path)
        answer = connection.getresponse()
        return answer.status, answer.read(4_096)
    finally:
        connection.close()


def _said(body: bytes) -> str:
    try:
        return str(json.loads(body).get("error") or "")
    except (ValueError, AttributeError):
        return ""
