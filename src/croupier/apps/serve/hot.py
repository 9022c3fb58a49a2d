"""The two hot doors, decide and events, as bare ASGI before the ordinary app."""

import asyncio
import logging

import msgspec

from croupier.apps.serve.answers import Accepted, Decided
from croupier.apps.serve.asgi import App, HttpError, Receive, Scope, Send, read_body, respond
from croupier.apps.serve.gate import VISIT
from croupier.apps.serve.ingest import Ingest
from croupier.apps.serve.report import NOT_JSON, NotABatchError, not_json
from croupier.apps.serve.service import DecideRequest, Service
from croupier.core import codec
from croupier.core.menus import NoArmLeftError
from croupier.core.records import IMPRESSION, Decision, Event
from croupier.ports import EVENTS, UnavailableError

_LOG = logging.getLogger(__name__)

_PREFIX, _SUFFIX, _EVENTS = "/v1/experiments/", "/decide", "/v1/events"
_MOST_PENDING = 4_096
_EXPOSE_SECONDS = 2.0
_DECIDE = msgspec.json.Decoder(DecideRequest)
_ENCODE = msgspec.json.Encoder()


class HotDoors:
    """ASGI in front of the ordinary app."""

    def __init__(self, service: Service, behind: App) -> None:
        self._service, self._behind = service, behind
        self._ingest = Ingest(service)
        self._pending = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the hot routes, pass on the rest."""
        path: str = scope.get("path", "")
        decide = (
            path.startswith(_PREFIX)
            and path.endswith(_SUFFIX)
            and len(path) >= len(_PREFIX) + len(_SUFFIX)
        )
        if scope["type"] != "http" or not (decide or path == _EVENTS):
            await self._behind(scope, receive, send)
            return
        if scope["method"] != "POST":
            await respond(send, 405, b'{"error":"use POST"}', [(b"allow", b"POST")])
            return
        try:
            if decide:
                name = path[len(_PREFIX) : -len(_SUFFIX)]
                status, answer = 200, await self._decide(name, scope, receive)
            else:
                status, answer = 202, await self._events(scope, receive)
        except HttpError as error:
            self._service.counters["http_error", str(error.status)] += 1
            await respond(send, error.status, error.body, error.headers)
        except Exception:  # noqa: BLE001 - a caller gets an answer whatever is wrong with us
            self._service.counters["http_error", "500"] += 1
            _LOG.exception("%s could not be answered", path)
            await respond(send, 500, b'{"error":"internal error"}')
        else:
            await respond(send, status, answer)

    async def _decide(self, name: str, scope: Scope, receive: Receive) -> bytes:
        service = self._service
        body = await read_body(scope, receive, service.limits.body)
        if name not in service.experiments:
            raise HttpError(404, f"no experiment {name[:100]!r} is declared")
        try:
            request = _DECIDE.decode(body)
        except msgspec.ValidationError as error:
            raise HttpError(422, str(error).replace(" - at `$.", " at `")) from None
        except NOT_JSON as error:
            raise HttpError(400, not_json(error)) from None
        try:
            choice = service.decide(name, request)
        except NoArmLeftError as error:
            raise HttpError(422, str(error)) from None
        decision = choice.decision
        service.counters["decision", name, decision.reason] += 1
        if decision.degraded:
            service.counters["degraded", name] += 1
        token = service.signer.sign(decision)
        exposed = await self._expose(decision) if request.exposed else None
        answer = Decided.of(choice, token, exposed)
        return bytes(_ENCODE.encode(answer))

    async def _expose(self, decision: Decision) -> bool:
        """Append the impression before the answer; False when the log is away."""
        slot = 0 if len(decision.slate) == 1 else -1
        event = Event(decision=decision, kind=IMPRESSION, at=decision.at, slot=slot)
        try:
            async with asyncio.timeout(_EXPOSE_SECONDS):
                await self._append([codec.encode(event)], [decision.tracking_id])
        except (UnavailableError, TimeoutError, HttpError):
            return False
        return True

    async def _events(self, scope: Scope, receive: Receive) -> bytes:
        body = await read_body(scope, receive, self._service.limits.body)
        try:
            batch = self._ingest.read(body, scope.get(VISIT))
        except NotABatchError as error:
            self._service.counters["rejected", "batch"] += 1
            raise HttpError(400, str(error)) from None
        if batch.records:
            try:
                await self._append(batch.records, batch.keys)
            except UnavailableError as error:
                _LOG.warning("events refused: %s", error)
                raise HttpError(503, "the log is not available: send the same again", 1) from None
        self._service.counters["accepted",] += len(batch.records)
        return bytes(_ENCODE.encode(Accepted(len(batch.records), batch.rejected)))

    async def _append(self, records: list[bytes], keys: list[bytes]) -> None:
        if self._pending >= _MOST_PENDING:
            raise HttpError(503, "too many events are waiting for the disk", 1)
        self._pending += 1
        try:
            await asyncio.wrap_future(self._service.log.append(EVENTS, records, keys))
        finally:
            self._pending -= 1
