"""The ordinary doors: experiments, health, metrics, and OpenAPI for all."""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.process_collector import ProcessCollector
from starlette.exceptions import HTTPException

from croupier.apps.serve.hot import Accepted, Decided
from croupier.apps.serve.ingest import Report
from croupier.apps.serve.metrics import ServiceMetrics
from croupier.apps.serve.service import DecideRequest, Service
from croupier.apps.serve.standing import Page, describe

_REFUSALS = {
    "400": "the body is not JSON, or no array",
    "404": "no such experiment",
    "413": "the body is too large",
    "422": "JSON, but not what is expected",
    "503": "the log is away; send again after Retry-After seconds",
}


def make_app(service: Service) -> FastAPI:
    """The app behind the hot doors."""
    app = FastAPI(
        title="Croupier", summary="Multi-armed bandits in production: decide, show, act, learn."
    )
    registry = CollectorRegistry()
    registry.register(ServiceMetrics(service))
    ProcessCollector(registry=registry)

    @app.exception_handler(HTTPException)
    async def refuse(_: Request, error: HTTPException) -> Response:
        return _json({"error": error.detail}, error.status_code, error.headers)

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz")
    def healthz() -> Response:
        """200 while the process works, 503 with the reason when learning has stopped."""
        error = service.health()
        return _json({"ok": error is None, "error": error}, 200 if error is None else 503)

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz")
    def readyz() -> Response:
        """200 once the snapshots of all experiments are loaded."""
        return _json({"ready": service.ready}, 200 if service.ready else 503)

    @app.get("/metrics")
    def metrics() -> Response:
        """Prometheus text."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/v1/experiments")
    def experiments() -> Response:
        """Every declared experiment, as its own page shows it."""
        return _json([describe(service, name) for name in service.experiments])

    @app.get("/v1/experiments/{name}")
    def experiment(name: str) -> Response:
        """Where learning stands: arms, weights, sums, open and late records."""
        if name not in service.experiments:
            return _json({"error": f"no experiment {name[:100]!r} is declared"}, 404)
        return _json(describe(service, name))

    _document(app)
    return app


def _json(answer: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(answer), status, headers, "application/json")


def _document(app: FastAPI) -> None:
    """Put into the OpenAPI document what FastAPI does not see: the hot doors, and the page."""
    made = app.openapi()
    kinds = (DecideRequest, Decided, Report, Accepted, Page)
    schemas, components = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}"
    )
    decide, decided, report, accepted, page = schemas
    made.setdefault("components", {}).setdefault("schemas", {}).update(components)
    paths, name = made["paths"], made["paths"]["/v1/experiments/{name}"]["get"]["parameters"]
    paths["/v1/experiments/{name}/decide"] = {
        "post": {"summary": "Decide which arm a unit is shown", "parameters": name}
        | _body({"application/json": decide})
        | _answers({"200": decided}, "400", "404", "413", "422")
    }
    events = {"type": "array", "items": report}
    paths["/v1/events"] = {
        "post": {"summary": "Report impressions and outcomes; 202 means durable"}
        | _body({"application/json": events, "text/plain": events})
        | _answers({"202": accepted}, "400", "413", "503")
    }
    paths["/v1/experiments/{name}"]["get"] |= _answers({"200": page}, "404")
    paths["/v1/experiments"]["get"] |= _answers({"200": {"type": "array", "items": page}})
    app.openapi_schema = made


def _body(schemas: dict[str, Any]) -> dict[str, Any]:
    content = {media: {"schema": schema} for media, schema in schemas.items()}
    return {"requestBody": {"required": True, "content": content}}


def _answers(schemas: dict[str, Any], *refusals: str) -> dict[str, Any]:
    good = {
        status: {"description": "as asked", "content": {"application/json": {"schema": schema}}}
        for status, schema in schemas.items()
    }
    return {"responses": good | {code: {"description": _REFUSALS[code]} for code in refusals}}
