"""The door for candidates: refresh an experiment's arms from its table now."""

from collections.abc import Iterable, Mapping
from typing import Protocol, get_args

import msgspec
from fastapi import FastAPI, Request, Response
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from croupier.apps.serve.asgi import HttpError, read_body
from croupier.apps.serve.report import NOT_JSON
from croupier.apps.serve.service import Service
from croupier.core.refresh import Outcome, Refresh

_STATUS = {"changed": 200, "same": 200, "refused": 409, "unreadable": 503}


class RefreshRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a refresh: `dry_run` changes nothing, `force` believes any vanished share."""

    dry_run: bool = False
    force: bool = False


class Refreshing(Protocol):
    """Who refreshes arms from tables."""

    @property
    def names(self) -> tuple[str, ...]:
        """The experiments that have a table."""

    def refresh(self, name: str, *, dry_run: bool = False, force: bool = False) -> Refresh:
        """Read a table, and change what differs."""


class NoTables:
    """Nobody declares candidates."""

    names = ()

    def refresh(self, name: str, *, dry_run: bool = False, force: bool = False) -> Refresh:  # noqa: ARG002 - a Refreshing
        """KeyError: there is no table."""
        raise KeyError(name)


def candidate_doors(app: FastAPI, service: Service, tables: Refreshing) -> None:
    """Add the door to the ordinary ones."""

    @app.post("/v1/experiments/{name}/candidates/refresh")
    async def refresh(name: str, request: Request) -> Response:
        """Make the arms be what the declared table lists; 409 says why it is not believed."""
        if name not in service.experiments:
            raise HTTPException(404, f"no experiment {name[:100]!r} is declared")
        if name not in tables.names:
            raise HTTPException(409, f"{name} declares arms, not candidates")
        try:
            body = await read_body(request.scope, request.receive, service.limits.body)
            wanted = msgspec.json.decode(body or b"{}", type=RefreshRequest)
            found = await run_in_threadpool(
                tables.refresh, name, dry_run=wanted.dry_run, force=wanted.force
            )
        except HttpError as error:
            raise HTTPException(error.status, str(error)) from None
        except NOT_JSON as error:
            raise HTTPException(422, str(error)) from None
        return _answer(found)


def _answer(found: Refresh) -> Response:
    status = _STATUS[found.outcome]
    told: Mapping[str, object] = {"error": found.reason} if status != 200 else {}
    body = msgspec.to_builtins(found) | dict(told)
    return Response(msgspec.json.encode(body), status, media_type="application/json")


class CandidateMetrics(Collector):
    """How refreshes went."""

    def __init__(self, service: Service, tables: Refreshing) -> None:
        self._service, self._tables = service, tables

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """All metrics, as of now."""
        refreshes = CounterMetricFamily(
            "croupier_candidates_refreshes",
            "Refreshes of arms from their table, by what came of them",
            labels=["experiment", "outcome"],
        )
        bad = GaugeMetricFamily(
            "croupier_candidates_bad_rows",
            "Rows that the last refresh could not read; their arms stay as they are",
            labels=["experiment"],
        )
        counters = self._service.counters
        for name in self._tables.names:
            bad.add_metric([name], counters["candidates_bad_rows", name])
            for outcome in get_args(Outcome):
                refreshes.add_metric([name, outcome], counters["candidates", name, outcome])
        yield refreshes
        yield bad
