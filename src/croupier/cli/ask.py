"""How commands ask a running server."""

import json
from typing import Annotated, Any

import typer

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


def ask(url: str, key: str, body: Any = None) -> Any:
    """The decoded answer, to GET or to POST of a body; a refusal ends the command in a line."""
    import urllib.error
    import urllib.request

    class Stay(urllib.request.HTTPRedirectHandler):
        """A key is for one server only, whatever that says of another."""

        def redirect_request(self, *_: Any) -> None:
            return None

    if not key.isascii() or not key.isprintable():
        raise typer.BadParameter("the API key holds characters that no key has")
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        request = urllib.request.Request(url, data, headers)  # noqa: S310 - the user's own
        with urllib.request.build_opener(Stay).open(request, timeout=15) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise typer.BadParameter(_reason(error.read(), error.reason)) from None
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"{url}: {getattr(error, 'reason', error)}") from None


def _reason(body: bytes, otherwise: str) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, LookupError, TypeError):
        return otherwise
