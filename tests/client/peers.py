"""Loopback sockets that behave as told: a server that hangs, drips, lies, or answers by script."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from croupier.client.messages import Decided, Shown

HOST, NAME = "127.0.0.1", "top-button"
DEFAULTS = {NAME: "install"}
DECIDED = {
    "experiment": NAME,
    "tracking_id": "019aa8f1c2d0" + 18 * "0",
    "token": "AQEB",
    "version": 1,
    "reason": "policy",
    "degraded": False,
    "slate": [{"arm": "free-trial", "slot": 0, "propensity": 0.5}],
}
SEEN = Decided("free-trial", "AQEB", 0.5, "policy", False, NAME, (Shown("free-trial", 0, 0.5),))


class Asked(NamedTuple):
    """A request as it came in."""

    at: float
    path: str
    headers: str
    body: Any


Behaviour = Callable[["Peer", socket.socket], None]


class Peer:
    """A listening socket; every connection is handed to its behaviour, in a thread of its own."""

    def __init__(self, behave: Behaviour, port: int = 0) -> None:
        self.listener = socket.create_server((HOST, port), backlog=128)
        self.port = int(self.listener.getsockname()[1])
        self.url = f"http://{HOST}:{self.port}"
        self.asked: list[Asked] = []
        self.connections = 0
        self.over = threading.Event()
        self._behave = behave
        self._links: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def read(self, link: socket.socket) -> Asked:
        """The next request; ConnectionError at the end."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more(link)
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += self._more(link)
        text = head.decode()
        asked = Asked(time.monotonic(), text.split()[1], text, json.loads(body))
        self.asked.append(asked)
        return asked

    def close(self) -> None:
        """Hang up on everybody, and wait for the threads."""
        self.over.set()
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for link in self._links:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)

    def _more(self, link: socket.socket) -> bytes:
        data = link.recv(65_536)
        if not data:
            raise ConnectionError
        return data

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self._links.append(link)
            thread = threading.Thread(target=self._serve, args=(link,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, link: socket.socket) -> None:
        with link, suppress(OSError):
            self._behave(self, link)


@contextmanager
def peer(behave: Behaviour, port: int = 0) -> Iterator[Peer]:
    """A peer for a while."""
    made = Peer(behave, port)
    try:
        yield made
    finally:
        made.close()


def http(status: int, body: object, *headers: str) -> bytes:
    """A whole answer; bytes are sent as they are, all else as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(raw)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


def answers(make: Callable[[Asked, int], bytes | None]) -> Behaviour:
    """Answers every request by what `make` says of it and its number; None hangs up instead."""

    def behave(self: Peer, link: socket.socket) -> None:
        while True:
            asked = self.read(link)
            answer = make(asked, len(self.asked))
            if answer is None:
                return
            link.sendall(answer)

    return behave


def says(answer: bytes) -> Behaviour:
    """The same answer to everything."""
    return answers(lambda asked, number: answer)


def hangs(self: Peer, link: socket.socket) -> None:
    """Reads, and never says a word."""
    self.read(link)
    self.over.wait(30)


def is_deaf(self: Peer, link: socket.socket) -> None:
    """Does not even read."""
    self.over.wait(30)


def drips(text: bytes) -> Behaviour:
    """A byte now, a byte then: no single wait is long."""

    def behave(self: Peer, link: socket.socket) -> None:
        self.read(link)
        for byte in text:
            link.sendall(bytes([byte]))
            if self.over.wait(0.02):
                return

    return behave


def repeats(head: bytes, more: bytes) -> Behaviour:
    """An answer that does not end."""

    def behave(self: Peer, link: socket.socket) -> None:
        self.read(link)
        link.sendall(head)
        while not self.over.is_set():
            link.sendall(more)

    return behave


def resets(self: Peer, link: socket.socket) -> None:
    """Reads, then resets the connection."""
    self.read(link)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def closes(answer: bytes) -> Behaviour:
    """Says this much, then closes."""

    def behave(self: Peer, link: socket.socket) -> None:
        self.read(link)
        link.sendall(answer)

    return behave


def accepted(asked: Asked) -> bytes:
    """What the real server answers to a good batch."""
    return http(202, {"accepted": len(asked.body), "rejected": []})


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.005)
