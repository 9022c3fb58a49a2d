"""The least that any ASGI app under uvicorn costs: a fixed answer of the size of a decision."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

ANSWER = b'{"experiment":"top-button","slate":"' + b"x" * 250 + b'"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] == "http":
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": ANSWER})
