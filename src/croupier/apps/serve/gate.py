"""The gate before all doors: who comes in, from which pages, and how often."""

import math
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from croupier.apps.serve.address import Network, address_of
from croupier.apps.serve.asgi import App, HttpError, Receive, Scope, Send, respond
from croupier.apps.serve.origins import Origins
from croupier.apps.serve.routes import EVENTS, METRICS, Door, door_of
from croupier.core.api_key import ApiKey, digest_of, key_of
from croupier.core.buckets import Buckets, Rate

VISIT = "croupier.visit"
"""Where in the ASGI scope a door finds the Visit; absent where there is no gate."""

REFUSALS = ("key", "expired", "scope", "experiment", "origin", "decide_rate", "events_rate")
"""Why the gate refuses: the label of the metric."""


class Access(NamedTuple):
    """Who may come in, as configured. Nothing at all: no gate is needed."""

    keys: tuple[ApiKey, ...] = ()
    origins: tuple[str, ...] = ()
    decide: Rate | None = None
    events: Rate | None = None
    proxies: tuple[Network, ...] = ()
    open_metrics: bool = True

    @property
    def guards(self) -> bool:
        """Whether there is anything to ask a visitor."""
        return bool(self.keys or self.origins or self.decide or self.events)


class Visit(NamedTuple):
    """What the gate found out: the key that was used, and whom to charge for events."""

    key: ApiKey | None
    charge: Callable[[int], None]


class Gate:
    """ASGI in front of the doors; each request is asked once, before its body is read."""

    def __init__(
        self,
        access: Access,
        behind: App,
        now: Callable[[], int],
        counters: Counter[tuple[str, ...]],
    ) -> None:
        self._access, self._behind, self._now, self._counters = access, behind, now, counters
        self._keys = {key.digest: key for key in access.keys}
        self._origins = Origins(access.origins) if access.origins else None
        self._decide = Buckets(access.decide) if access.decide else None
        self._events = Buckets(access.events) if access.events else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer why not."""
        if scope["type"] != "http":
            await self._behind(scope, receive, send)
            return
        try:
            if self._origins is not None:
                if not self._origins.admit(scope):
                    raise self._refusal(
                        "origin", 403, "this origin is not in the list of server.cors"
                    )
                send = self._origins.allow(scope, send)
                if self._origins.is_preflight(scope):
                    await respond(send, 200, b"{}", self._origins.preflight)
                    return
            scope[VISIT] = self._admit(scope)
        except HttpError as error:
            self._counters["http_error", str(error.status)] += 1
            await respond(send, error.status, error.body, error.headers)
            return
        await self._behind(scope, receive, send)

    def _admit(self, scope: Scope) -> Visit:
        door = door_of(scope["method"], scope["path"])
        key = None
        if self._keys and self._asks(door, scope["path"]):
            key = self._identify(scope, door)
        if door.need == "decide" and self._decide is not None:
            self._charge(self._decide, "decide_rate", _who(scope, key, self._access.proxies), 1)
        if scope["path"] == EVENTS and self._events is not None:
            who = _who(scope, key, self._access.proxies)
            return Visit(key, partial(self._charge, self._events, "events_rate", who))
        return Visit(key, _nothing)

    def _asks(self, door: Door, path: str) -> bool:
        """Whether a key is looked at: at the doors that need one, and at events if one comes."""
        return door.need != "nothing" or path == EVENTS or self._is_closed(path)

    def _is_closed(self, path: str) -> bool:
        return path == METRICS and not self._access.open_metrics

    def _identify(self, scope: Scope, door: Door) -> ApiKey | None:
        text = key_of(scope["headers"])
        needs = door.need != "nothing" or self._is_closed(scope["path"])
        if text is None:
            if not needs:
                return None
            raise self._refusal("key", 401, "an API key is needed: Authorization: Bearer …")
        key = self._keys.get(digest_of(text))
        if key is None:
            raise self._refusal("key", 401, "this API key is not known here")
        if key.expires is not None and self._now() >= key.expires:
            raise self._refusal("expired", 401, f"the API key {key.name} has expired")
        need = door.need
        if (need in ("decide", "ingest", "admin")) and not key.may(need):
            raise self._refusal("scope", 403, f"the API key {key.name} has not the scope {need}")
        if needs and not key.touches(door.experiment):
            raise self._refusal("experiment", 403, f"the API key {key.name} is not for this")
        return key

    def _charge(self, buckets: Buckets, what: str, who: str, amount: int) -> None:
        wait = buckets.take(who, amount, time.monotonic())
        if wait:
            most, seconds = buckets.rate
            if math.isinf(wait):
                raise self._refusal(what, 413, f"at most {most} events in a request: [limits]")
            reason = f"too many: {most} in {seconds:g} s are allowed"
            raise self._refusal(what, 429, reason, wait)

    def _refusal(self, why: str, status: int, reason: str, wait: float | None = None) -> HttpError:
        self._counters["refused", why] += 1
        return HttpError(status, reason, wait)


def _who(scope: Scope, key: ApiKey | None, proxies: tuple[Network, ...]) -> str:
    return f"key {key.name}" if key else address_of(scope, proxies)


def _nothing(_: int) -> None:
    """No rate is limited."""
