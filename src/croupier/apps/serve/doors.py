"""The ordinary doors: experiments, health, metrics, and OpenAPI for all."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from fastapi import FastAPI, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.process_collector import ProcessCollector
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from croupier.apps.serve.arms import ArmChange, change_arms, history
from croupier.apps.serve.asgi import HttpError, read_body
from croupier.apps.serve.audit import changes
from croupier.apps.serve.beacon import serve_beacon
from croupier.apps.serve.candidates import CandidateMetrics, NoTables, Refreshing, candidate_doors
from croupier.apps.serve.estimates import estimate_doors
from croupier.apps.serve.gate import VISIT
from croupier.apps.serve.imports.doors import import_doors
from croupier.apps.serve.metrics import ServiceMetrics
from croupier.apps.serve.openapi import document
from croupier.apps.serve.report import NOT_JSON
from croupier.apps.serve.service import Service
from croupier.apps.serve.standing import describe
from croupier.core.arm_changes import ArmChangeError
from croupier.ports import UnavailableError


def make_app(service: Service, tables: Refreshing | None = None) -> FastAPI:
    """The app behind the hot doors."""
    app = FastAPI(
        title="Croupier", summary="Multi-armed bandits in production: decide, show, act, learn."
    )

    @app.exception_handler(HTTPException)
    async def refuse(_: Request, error: HTTPException) -> Response:
        return _json({"error": error.detail}, error.status_code, error.headers)

    @app.exception_handler(UnavailableError)
    async def wait(_: Request, __: UnavailableError) -> Response:
        again = {"retry-after": "1"}
        return _json({"error": "the log is not available: try again"}, 503, again)

    tables = tables or NoTables()
    _watching(app, service, tables)
    _experiments(app, service)
    _arms(app, service)
    _audit(app, service)
    candidate_doors(app, service, tables)
    import_doors(app, service)
    serve_beacon(app)
    estimate_doors(app, service)
    document(app)
    return app


def _watching(app: FastAPI, service: Service, tables: Refreshing) -> None:
    registry = CollectorRegistry()
    registry.register(ServiceMetrics(service))
    registry.register(CandidateMetrics(service, tables))
    ProcessCollector(registry=registry)

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz")
    async def healthz() -> Response:
        """200 while the process works, 503 with the reason when learning has stopped."""
        error = service.runner.health()
        return _json({"ok": error is None, "error": error}, 200 if error is None else 503)

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz")
    async def readyz() -> Response:
        """200 once the snapshots of all experiments are loaded."""
        return _json({"ready": service.ready}, 200 if service.ready else 503)

    @app.get("/metrics")
    def metrics() -> Response:
        """Prometheus text."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _experiments(app: FastAPI, service: Service) -> None:
    @app.get("/v1/experiments")
    def experiments() -> Response:
        """Every declared experiment, as its own page shows it."""
        return _json([describe(service, name, patience=0.2) for name in service.experiments])

    @app.get("/v1/experiments/{name}")
    def experiment(name: str) -> Response:
        """Where learning stands: arms, weights, sums, open and late records."""
        _known(service, name)
        return _json(describe(service, name))


def _arms(app: FastAPI, service: Service) -> None:
    @app.get("/v1/experiments/{name}/arms")
    def arms(name: str) -> Response:
        """Every version of the arms: what was changed, when and by whom."""
        _known(service, name)
        return _json(history(service, name))

    @app.post("/v1/experiments/{name}/arms")
    async def change(name: str, request: Request) -> Response:
        """Put, pause, resume, remove, pin or unpin an arm; drawn so from the next snapshot on."""
        _known(service, name)
        try:
            body = await read_body(request.scope, request.receive, service.limits.body)
            wanted = msgspec.json.decode(body, type=ArmChange)
            visit = request.scope.get(VISIT)
            key = visit.key.name if visit and visit.key else None
            return _json(await run_in_threadpool(change_arms, service, name, wanted, key))
        except HttpError as error:
            raise HTTPException(error.status, str(error)) from None
        except NOT_JSON as error:
            raise HTTPException(422, str(error)) from None
        except ArmChangeError as error:
            raise HTTPException(409, str(error)) from None


def _audit(app: FastAPI, service: Service) -> None:
    @app.get("/v1/audit")
    def audit(limit: Annotated[int, Query(ge=1, le=1_000)] = 50) -> Response:
        """Who changed what, when, from what to what: the newest first."""
        return _json(changes(service, limit))


def _known(service: Service, name: str) -> None:
    if name not in service.experiments:
        raise HTTPException(404, f"no experiment {name[:100]!r} is declared")


def _json(answer: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(answer), status, headers, "application/json")
