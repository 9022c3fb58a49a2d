"""HTTP within a total deadline: kept connections, answers bounded in size."""

import io
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import Any
from weakref import finalize

from croupier.client import processes
from croupier.client.address import server_of
from croupier.client.dial import Dial, left
from croupier.client.key import with_key
from croupier.client.messages import Answer, CallError

_MOST_IDLE = 64
_IDLE_SECONDS = 30.0
_LONGEST_ANSWER = 4 * 1024 * 1024


class Wire:
    """POSTs to one server, from any number of threads."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str] | None,
        tls: ssl.SSLContext | None,
        api_key: str | None = None,
    ) -> None:
        parts = server_of(url)
        self.url = url.rstrip("/")
        self._path = parts.path.rstrip("/")
        secure = parts.scheme == "https"
        context = (tls or ssl.create_default_context()) if secure else None
        self._dial = Dial(parts.hostname or "", parts.port or (443 if secure else 80), context)
        lines = {"host": parts.netloc, "content-type": "application/json"}
        lines |= with_key(headers, api_key)
        self._head = "".join(f"{_plain(name)}: {_plain(lines[name])}\r\n" for name in lines)
        self._head.encode("latin-1")
        self._idle: deque[tuple[float, socket.socket]] = deque()
        finalize(self, _close, self._idle).atexit = False
        self.after_fork()
        processes.watch(self)

    def after_fork(self) -> None:
        """No connection is shared with the parent, whose own stay as they are."""
        self._lock = threading.RLock()
        self._connected = 0
        self.close()

    def stats(self) -> dict[str, int]:
        """Connections made."""
        return {"connections": self._connected}

    def post(self, path: str, body: bytes, timeout: float) -> Answer:
        """Send, and return the whole answer; CallError if that takes more seconds in all.

        A kept connection may have been closed by the other side: then a new one is tried, since
        all that we send may safely be sent twice.
        """
        deadline = time.monotonic() + timeout
        head = (
            f"POST {self._path}{path} HTTP/1.1\r\n{self._head}content-length: {len(body)}\r\n\r\n"
        )
        request = head.encode("latin-1") + body
        try:
            kept = self._take()
            if kept is not None:
                try:
                    return self._use(kept, request, deadline)
                except (ConnectionError, ssl.SSLError):
                    pass
            return self._use(self._connect(deadline), request, deadline)
        except TimeoutError as error:
            raise CallError("timeout", "no whole answer in time") from error
        except (OSError, IncompleteRead) as error:
            raise CallError("unreachable", str(error) or type(error).__name__) from error
        except (HTTPException, ValueError) as error:
            raise CallError("garbage", f"not HTTP: {type(error).__name__} {error}"[:200]) from error

    def close(self) -> None:
        """Close the connections that nobody is using."""
        _close(self._idle)

    def _use(self, link: socket.socket, request: bytes, deadline: float) -> Answer:
        keep = False
        try:
            answer, keep = _exchange(link, request, deadline)
            return answer
        finally:
            if keep:
                self._keep(link)
            else:
                link.close()

    def _connect(self, deadline: float) -> socket.socket:
        link = self._dial.connect(deadline)
        with self._lock:
            self._connected += 1
        return link

    def _take(self) -> socket.socket | None:
        """The connection used last, if the other side has neither closed it nor spoken."""
        while True:
            try:
                since, link = self._idle.pop()
            except IndexError:
                return None
            if time.monotonic() - since < _IDLE_SECONDS and not _readable(link):
                return link
            link.close()

    def _keep(self, link: socket.socket) -> None:
        self._idle.append((time.monotonic(), link))
        if len(self._idle) > _MOST_IDLE:
            try:
                self._idle.popleft()[1].close()
            except IndexError:
                return


def _exchange(link: socket.socket, request: bytes, deadline: float) -> tuple[Answer, bool]:
    """The answer, and whether the connection may be used again."""
    unsent = memoryview(request)
    while unsent:
        link.settimeout(left(deadline))
        unsent = unsent[link.send(unsent) :]
    response = HTTPResponse(_Source(link, deadline), method="POST")  # type: ignore[arg-type]
    response.begin()
    body = _body(response)
    keep = response.isclosed() and not response.will_close
    return Answer(response.status, body, response.headers["retry-after"]), keep


class _Source(io.RawIOBase):
    """What HTTPResponse takes for a socket: every read gets only what is left of the time."""

    def __init__(self, link: socket.socket, deadline: float) -> None:
        self._link, self._deadline = link, deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._link.settimeout(left(self._deadline))
        return self._link.recv_into(buffer)


def _body(response: HTTPResponse) -> bytes:
    if response.length is not None and response.length <= _LONGEST_ANSWER:
        return response.read()
    body = b"" if response.length else response.read(_LONGEST_ANSWER + 1)
    if response.length or len(body) > _LONGEST_ANSWER:
        raise ValueError("the answer is too long")
    return body


def _close(idle: deque[tuple[float, socket.socket]]) -> None:
    while idle:
        idle.pop()[1].close()


def _readable(link: socket.socket) -> bool:
    if not hasattr(select, "poll"):
        return bool(select.select([link], [], [], 0)[0])
    poll = select.poll()
    poll.register(link, select.POLLIN)
    return bool(poll.poll(0))


def _plain(text: str) -> str:
    if "\r" in text or "\n" in text:
        raise ValueError("a header must be one line")
    return text
