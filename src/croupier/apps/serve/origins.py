"""CORS: the pages of which origins may ask, and what their browsers are told."""

from collections.abc import Iterable

from croupier.apps.serve.asgi import App, Header, HttpError, Message, Receive, Scope, Send, respond

_EXPOSED = (b"access-control-expose-headers", b"date, retry-after")  # the beacon goes by them
_CREDENTIALS = (b"access-control-allow-credentials", b"true")  # sendBeacon always has them


class Origins:
    """An allow-list of origins; the server's own is always on it."""

    preflight: tuple[Header, ...] = (
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"authorization, content-type, x-api-key"),
        (b"access-control-max-age", b"600"),
    )
    """What a browser is told that asks before it asks."""

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)

    def admit(self, scope: Scope) -> bool:
        """Whether the request may go on: from no page, our own, or a listed one."""
        origin = _header(scope, b"origin")
        return origin is None or origin in self._origins or _is_own(scope, origin)

    def is_preflight(self, scope: Scope) -> bool:
        """Whether a browser asks what it may ask."""
        asks = scope["method"] == "OPTIONS" and _header(scope, b"origin") is not None
        return asks and _header(scope, b"access-control-request-method") is not None

    def allow(self, scope: Scope, send: Send) -> Send:
        """The same `send`, which lets a listed page read the answer."""
        origin = _header(scope, b"origin")
        vary = (b"vary", b"Origin")
        allowed = [(b"access-control-allow-origin", origin), _CREDENTIALS, _EXPOSED, vary]
        more = allowed if origin is not None and origin in self._origins else [vary]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *more]
            await send(message)

        return sending


class OwnPages:
    """Ordinary doors where no gate is: no page of another origin may change anything.

    A browser sends a simple POST anywhere on its own, and says whose page it was. Deciding and
    reporting stay open: they change no more than any visitor may.
    """

    def __init__(self, behind: App) -> None:
        self._behind, self._own = behind, Origins(())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a POST from a foreign page, pass on the rest."""
        if scope["type"] == "http" and scope["method"] != "GET" and not self._own.admit(scope):
            error = HttpError(403, "a page of another origin may not change anything here")
            await respond(send, error.status, error.body, error.headers)
            return
        await self._behind(scope, receive, send)


def _is_own(scope: Scope, origin: bytes) -> bool:
    return origin.partition(b"://")[2] == _header(scope, b"host")


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    value: bytes
    for name, value in scope["headers"]:
        if name == wanted:
            return value
    return None
