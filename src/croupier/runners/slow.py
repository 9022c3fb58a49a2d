"""uvicorn's connection, with an end to slow and endless requests."""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MOST_HEAD = 65_536
"""Bytes that a request's line and headers may have, give or take what arrives at once."""

_END = b"connection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\n" + _END
_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\n" + _END


class Patient(HttpToolsProtocol):
    """A request must be whole, headers and body, within `seconds` of its first byte.

    A connection that says nothing at first has as long; between requests uvicorn's own keep-alive
    goes on, and the time of our answer is not counted. One timer a connection looks again only
    when it rings, so that a request costs nothing.
    """

    seconds: ClassVar[float]
    _since: float | None = None
    _inside = False
    _head = 0
    _reading: RequestResponseCycle | None = None
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._timer = self.loop.call_later(self.seconds, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before the headers are complete."""
        if self._since is None:
            self._since = self.loop.time()
        self._inside = True
        super().data_received(data)
        if self._inside and self._reading is None:
            self._head += len(data)
            if self._head > MOST_HEAD:
                self._end(_TOO_LONG)

    def on_headers_complete(self) -> None:
        """From here on the doors bound the size."""
        super().on_headers_complete()
        self._reading = self.cycle

    def on_message_complete(self) -> None:
        """The request is whole."""
        super().on_message_complete()
        self._since, self._inside, self._head, self._reading = None, False, 0, None

    def _look(self) -> None:
        now = self.loop.time()
        since = now if self._since is None else self._since
        if now - since >= self.seconds:
            self._end(_TOO_SLOW)
        else:
            self._timer = self.loop.call_later(since + self.seconds - now, self._look)

    def _end(self, answer: bytes) -> None:
        if self._reading is None or not self._reading.response_started:
            self.transport.write(answer)
        self.transport.close()


def patient(seconds: float) -> type[Patient]:
    """The protocol of a server whose requests must be whole in so many seconds."""
    return type("Patient", (Patient,), {"seconds": seconds})
