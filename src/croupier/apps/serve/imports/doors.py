"""The two doors for batches: past trials, and master data of arms."""

from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from croupier.apps.serve.asgi import HttpError, read_body
from croupier.apps.serve.gate import VISIT
from croupier.apps.serve.imports.arm_rows import ArmRow, import_arms
from croupier.apps.serve.imports.rewards import import_rewards
from croupier.apps.serve.imports.rows import NotRowsError, read_rows
from croupier.apps.serve.service import Service
from croupier.core.past import PastTrials, RowError
from croupier.ports import UnavailableError

T = TypeVar("T", bound=msgspec.Struct)
_Key = Annotated[str, Header(alias="idempotency-key", min_length=1, max_length=200)]
_By = Annotated[str, Query(max_length=100)]


def import_doors(app: FastAPI, service: Service) -> None:
    """Add the doors to the app."""

    @app.exception_handler(RequestValidationError)
    async def refuse(_: Request, error: RequestValidationError) -> Response:
        reasons = (f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
        answer = msgspec.json.encode({"error": "; ".join(reasons)})
        return Response(answer, 422, media_type="application/json")

    @app.post("/v1/experiments/{name}/import")
    async def rewards(
        name: str, request: Request, idempotency_key: _Key, *, dry_run: bool = False
    ) -> Response:
        """Import past trials, added up by arm: they train. Sending them again has no effect."""
        rows = await _rows(service, name, request, PastTrials)
        return await _answer(import_rewards, service, name, idempotency_key, rows, dry_run=dry_run)

    @app.post("/v1/experiments/{name}/arms/import")
    async def arms(
        name: str, request: Request, by: _By = "import", *, dry_run: bool = False
    ) -> Response:
        """Put, pause or remove many arms at once; those that are not named stay as they are."""
        rows = await _rows(service, name, request, ArmRow)
        visit = request.scope.get(VISIT)
        key = visit.key.name if visit and visit.key else ""
        who = (key, by) if key else (by, "")
        return await _answer(import_arms, service, name, rows, who, dry_run=dry_run)


async def _rows(service: Service, name: str, request: Request, kind: type[T]) -> list[T | RowError]:
    if name not in service.experiments:
        raise HTTPException(404, f"no experiment {name[:100]!r} is declared")
    media = request.headers.get("content-type", "")
    try:
        body = await read_body(request.scope, request.receive, service.limits.body)
        return await run_in_threadpool(read_rows, body, media, kind, service.limits.events)
    except HttpError as error:
        raise HTTPException(error.status, str(error)) from None
    except NotRowsError as error:
        raise HTTPException(400, str(error)) from None


async def _answer(work: Any, *values: Any, dry_run: bool) -> Response:
    try:
        answer = await run_in_threadpool(work, *values, dry_run=dry_run)
    except (UnavailableError, TimeoutError):
        again = {"retry-after": "1"}
        raise HTTPException(503, "the log is not available: send the same again", again) from None
    return Response(msgspec.json.encode(answer), media_type="application/json")
