"""How commands ask a running server."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from croupier.config.errors import ConfigError

HERE = "http://127.0.0.1:8080"
"""Where `croupier up` listens, unless told otherwise."""
Server = Annotated[str, typer.Option(help="Where it listens.")]
Key = Annotated[
    str,
    typer.Option(
        "--api-key",
        envvar="CROUPIER_API_KEY",
        show_default=False,
        help="The API key, where the server has some; better in the environment.",
    ),
]


class RefusedError(ConfigError):
    """The server answered, and said no: with its status, its reason, and all else that it told."""

    def __init__(self, status: int, reason: str, told: Mapping[str, Any]) -> None:
        super().__init__(reason)
        self.status, self.told = status, told


def place(server: str, *names: str, **asked: object) -> str:
    """A door's URL, names quoted; ConfigError, without what may be secret, for no server.

    >>> place("http://127.0.0.1:8080/", "experiments", "é/1", "arms", limit=5)
    'http://127.0.0.1:8080/v1/experiments/%C3%A9%2F1/arms?limit=5'
    """
    from urllib.parse import quote, urlencode

    from croupier.client.address import server_of

    try:
        server_of(server)
    except ValueError as error:
        raise ConfigError(f"--server: {error}") from None
    path = "/".join(quote(name, safe="") for name in ("v1", *names))
    return f"{server.rstrip('/')}/{path}" + (f"?{urlencode(asked)}" if asked else "")


def ask(url: str, api_key: str, body: Any = None) -> Any:
    """The decoded answer, to GET or to POST of a body; ConfigError, a line, for a refusal."""
    try:
        data = None if body is None else json.dumps(body).encode()
        return call(url, api_key, data)
    except OSError as error:
        raise ConfigError(f"{url.partition('?')[0]}: {error}") from None


def call(
    url: str,
    api_key: str,
    data: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = 15.0,
) -> Any:
    """The decoded answer of `place`; RefusedError where it says no, OSError where none came.

    ConfigError for a key that cannot be one, and for an answer that is not Croupier's.
    """
    import urllib.error
    import urllib.request
    from http.client import HTTPException

    from croupier.client.key import bearer

    class Stay(urllib.request.HTTPRedirectHandler):
        """A key is for one server only, whatever that says of another."""

        def redirect_request(self, *_: Any) -> None:
            return None

    try:
        sent = {**(headers or {}), **bearer(api_key)}
    except ValueError as error:
        raise ConfigError(str(error)) from None
    request = urllib.request.Request(url, data, sent)  # noqa: S310 - http or https: see place
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=seconds) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        told = _told(error)
        reason = str(told.get("error", f"{error.code} {error.reason}"))
        raise RefusedError(error.code, reason, told) from None
    except (OSError, HTTPException) as error:
        why = getattr(error, "reason", error)
        raise OSError(str(why) or type(error).__name__) from None
    except ValueError:
        raise ConfigError(f"{url.partition('?')[0]}: its answer is not one of Croupier's") from None


def _told(error: Any) -> dict[str, Any]:
    """What the server said beside its status; nothing where that is not Croupier's."""
    from http.client import HTTPException

    try:
        return dict(json.loads(error.read()))
    except (OSError, HTTPException, ValueError, TypeError):
        return {}
