"""Which door a request wants, and what it takes; closed where nothing is said."""

from typing import Literal, NamedTuple

from croupier.core.api_key import Right

OPEN = frozenset(
    (
        "/healthz",
        "/readyz",
        "/docs",
        "/docs/oauth2-redirect",
        "/redoc",
        "/openapi.json",
        "/beacon.js",
    )
)
"""Doors that need no key: they tell nothing of visitors, and change nothing."""

METRICS, EVENTS = "/metrics", "/v1/events"
_EXPERIMENTS, _DECIDE = "/v1/experiments", "/decide"

Need = Literal["nothing", "any key"] | Right


class Door(NamedTuple):
    """What a request asks for: the right that it takes, and the experiment that it names."""

    need: Need
    experiment: str | None = None


def door_of(method: str, path: str) -> Door:
    """The door behind a method and a path; what is not known here takes `admin`.

    Events need nothing at the door: each proves itself by its token, or else asks for `ingest`.

    >>> door_of("POST", "/v1/experiments/top-button/decide")
    Door(need='decide', experiment='top-button')
    >>> door_of("GET", "/v1/experiments/top-button").need, door_of("POST", "/v1/new-door").need
    ('any key', 'admin')
    """
    if path in OPEN or path in (METRICS, EVENTS):
        return Door("nothing")
    if not path.startswith(_EXPERIMENTS + "/"):
        return Door("any key" if (method, path) in _LISTS else "admin")
    rest = path[len(_EXPERIMENTS) + 1 :]
    if rest.endswith(_DECIDE):
        return Door("decide", rest.removesuffix(_DECIDE))
    name, _, page = rest.partition("/")
    reading = method in ("GET", "HEAD") and page in ("", "arms", "estimates")
    return Door("any key" if reading else "admin", name)


_LISTS = (("GET", _EXPERIMENTS), ("HEAD", _EXPERIMENTS))
