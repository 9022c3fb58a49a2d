"""The load generator: keep-alive connections on an epoll loop, without pipelining."""

import select
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from benchmarks.measure import cpu_seconds

_END = b"\r\n\r\n"


class Pressed(NamedTuple):
    """What a load did: requests, wall seconds, CPU seconds of each watched process, latencies."""

    requests: int
    seconds: float
    cpu: list[float]
    latencies: list[float]


def post(path: str, body: bytes) -> bytes:
    """The bytes of one request."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    return head.encode() + b"content-length: %d\r\n\r\n%b" % (len(body), body)


class Connection:
    """One keep-alive connection, with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = 0.0
        self._received = b""

    def send(self, message: bytes) -> None:
        """Send one request; its answer must have been read before the next."""
        self._received = b""
        self.sent = time.perf_counter()
        self.socket.sendall(message)

    def answer(self) -> bytes | None:
        """The body of the answer, or None while it is incomplete; RuntimeError unless 2xx."""
        part = self.socket.recv(262_144)
        self._received += part
        head, end, body = self._received.partition(_END)
        if not part:
            raise RuntimeError("the server closed the connection")
        if not end:
            return None
        if head[9:10] != b"2":
            raise RuntimeError(f"refused: {self._received[:300]!r}")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r", 1)[0])
        return body if len(body) >= length else None

    def ask(self, message: bytes) -> bytes:
        """Send one request and wait for the body of its answer."""
        self.send(message)
        while (body := self.answer()) is None:
            pass
        return body


def press(
    port: int,
    pids: Sequence[int],
    messages: Iterable[bytes],
    connections: int,
    seconds: float,
    expect: bytes = b"",
) -> Pressed:
    """Send messages as fast as they are answered, until they or the seconds run out."""
    source = iter(messages)
    idle = [Connection(port) for _ in range(connections)]
    before = [cpu_seconds([pid]) for pid in pids]
    began = time.perf_counter()
    latencies = _exchange(idle, source, began + seconds, expect)
    took = time.perf_counter() - began
    used = [cpu_seconds([pid]) - start for pid, start in zip(pids, before, strict=True)]
    for connection in idle:
        connection.socket.close()
    return Pressed(len(latencies), took, used, latencies)


def _exchange(
    connections: Iterable[Connection], source: Iterator[bytes], until: float, expect: bytes
) -> list[float]:
    poll, waiting = select.epoll(), {}
    latencies: list[float] = []
    for connection, message in zip(connections, source, strict=False):
        waiting[connection.socket.fileno()] = connection
        poll.register(connection.socket, select.EPOLLIN)
        connection.send(message)
    while waiting:
        for handle, _ in poll.poll(30):
            connection = waiting[handle]
            body = connection.answer()
            if body is None:
                continue
            now = time.perf_counter()
            latencies.append(now - connection.sent)
            if expect not in body:
                raise RuntimeError(f"expected {expect!r} in {body[:300]!r}")
            following = next(source, None) if now < until else None
            if following is None:
                poll.unregister(handle)
                del waiting[handle]
            else:
                connection.send(following)
    return latencies


def press_again(
    port: int, pids: Sequence[int], messages: list[bytes], connections: int, seconds: float
) -> Pressed:
    """`press` with a list of messages, over and over."""
    return press(port, pids, _over_and_over(messages), connections, seconds)


def pace(port: int, messages: list[bytes], rate: float, seconds: float) -> list[float]:
    """Latencies in seconds at a steady rate on one connection.

    A request that had to wait for the answer before it counts from when it was due, so that a
    stall is not seen once only.
    """
    connection, latencies = Connection(port), []
    began = time.perf_counter()
    for place in range(int(rate * seconds)):
        due = began + place / rate
        ahead = due - time.perf_counter()
        if ahead > 0:
            time.sleep(ahead)
        connection.send(messages[place % len(messages)])
        start = connection.sent if ahead > 0 else due
        while connection.answer() is None:
            pass
        latencies.append(time.perf_counter() - start)
    connection.socket.close()
    return latencies


def _over_and_over(messages: list[bytes]) -> Iterator[bytes]:
    while True:
        yield from messages
