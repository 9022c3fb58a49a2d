"""What every bare ASGI door needs: a bounded body, an answer, a refusal."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from math import ceil
from typing import Any

import msgspec

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

_JSON = (b"content-type", b"application/json")
_ENCODE = msgspec.json.Encoder()


class HttpError(Exception):
    """An answer other than success; `wait` seconds make its Retry-After."""

    def __init__(self, status: int, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.headers: list[Header] = []
        if wait is not None:
            self.headers.append((b"retry-after", b"%d" % max(1, ceil(wait))))
        if status == 401:
            self.headers.append((b"www-authenticate", b'Bearer realm="croupier"'))

    @property
    def body(self) -> bytes:
        """The reason, as JSON."""
        return bytes(_ENCODE.encode({"error": str(self)}))


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body; HttpError when it is longer than `limit` bytes or does not end."""
    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or int(value) > limit):
            raise HttpError(413, f"the body may have at most {limit} bytes")
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HttpError(400, "the connection was closed before the body was complete")
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > limit:
            raise HttpError(413, f"the body may have at most {limit} bytes")
        if not message.get("more_body", False):
            return body


async def respond(send: Send, status: int, body: bytes, headers: Sequence[Header] = ()) -> None:
    """Send a whole answer in JSON."""
    length = (b"content-length", str(len(body)).encode())
    start = {"type": "http.response.start", "status": status, "headers": [_JSON, length, *headers]}
    await send(start)
    await send({"type": "http.response.body", "body": body})
