"""The ordinary doors: experiments, health, metrics, and OpenAPI for all."""

from typing import Any

import msgspec
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.process_collector import ProcessCollector

from croupier.apps.serve.hot import Accepted, Decided
from croupier.apps.serve.ingest import Report
from croupier.apps.serve.metrics import ServiceMetrics
from croupier.apps.serve.service import DecideRequest, Service
from croupier.apps.serve.standing import describe

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

    @app.get("/healthz")
    def healthz() -> Response:
        """200 while the process works, 503 with the reason when learning has stopped."""
        error = service.health()
        return JSONResponse({"ok": error is None, "error": error}, 200 if error is None else 503)

    @app.get("/readyz")
    def readyz() -> Response:
        """200 once the snapshots of all experiments are loaded."""
        return JSONResponse({"ready": service.ready}, 200 if service.ready else 503)

    @app.get("/metrics")
    def metrics() -> Response:
        """Prometheus text."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/v1/experiments")
    def experiments() -> list[dict[str, Any]]:
        """Every declared experiment, as its own page shows it."""
        return [describe(service, name) for name in service.experiments]

    @app.get("/v1/experiments/{name}")
    def experiment(name: str) -> Response:
        """Where learning stands: arms, weights, sums, open and late records."""
        if name not in service.experiments:
            return JSONResponse({"error": f"no experiment {name[:100]!r} is declared"}, 404)
        return JSONResponse(describe(service, name))

    _document_hot_doors(app)
    return app


def _document_hot_doors(app: FastAPI) -> None:
    """Put decide and events, which FastAPI never sees, into its OpenAPI document."""
    made = app.openapi()
    kinds = (DecideRequest, Decided, Report, Accepted)
    schemas, components = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}"
    )
    decide, decided, report, accepted = schemas
    made.setdefault("components", {}).setdefault("schemas", {}).update(components)
    made["paths"]["/v1/experiments/{name}/decide"] = {
        "post": _operation("Decide which arm a unit is shown", decide, "200", decided)
        | {
            "parameters": [
                {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
            ]
        }
    }
    events = {"type": "array", "items": report}
    made["paths"]["/v1/events"] = {
        "post": _operation(
            "Report impressions and outcomes; 202 means durable", events, "202", accepted
        )
    }
    app.openapi_schema = made


def _operation(
    summary: str, body: dict[str, Any], status: str, answer: dict[str, Any]
) -> dict[str, Any]:
    json_types = ("application/json", "text/plain") if status == "202" else ("application/json",)
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {t: {"schema": body} for t in json_types}},
        "responses": {
            status: {"description": summary, "content": {"application/json": {"schema": answer}}}
        }
        | {code: {"description": text} for code, text in _REFUSALS.items()},
    }
