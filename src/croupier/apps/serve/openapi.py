"""OpenAPI for what FastAPI does not see: the hot doors, and msgspec's answers."""

from typing import Any

import msgspec
from fastapi import FastAPI

from croupier.apps.serve.answers import Accepted, Decided
from croupier.apps.serve.arms import ArmChange, ArmsPage
from croupier.apps.serve.candidates import RefreshRequest
from croupier.apps.serve.estimates import PATH as ESTIMATES
from croupier.apps.serve.estimates import document_estimates
from croupier.apps.serve.imports.arm_rows import ArmRow, ArmsAnswer
from croupier.apps.serve.imports.rewards import RewardsAnswer
from croupier.apps.serve.report import PlainReport, Report
from croupier.apps.serve.routes import EVENTS, door_of
from croupier.apps.serve.service import DecideRequest
from croupier.apps.serve.standing import Page
from croupier.core.audit import Change
from croupier.core.past import PastTrials
from croupier.core.refresh import Refresh

_KEYS = "needed where the server has API keys; made by `croupier key new`"
_REFUSALS = {
    "400": "the body is not JSON, or no array",
    "401": "an API key is needed, or it is not known, or over",
    "403": "the API key may not, or the page's origin is not listed",
    "404": "no such experiment",
    "409": "the arms do not allow this change",
    "413": "the body is too large",
    "422": "JSON, but not what is expected",
    "429": "too many; send again after Retry-After seconds",
    "503": "the log is away; send again after Retry-After seconds",
}


def document(app: FastAPI) -> None:
    """Put into the OpenAPI document what FastAPI does not see: the hot doors, and the page."""
    made = app.openapi()
    kinds = (
        DecideRequest,
        Decided,
        Report,
        PlainReport,
        Accepted,
        Page,
        ArmChange,
        ArmsPage,
        Change,
    )
    schemas, components = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}"
    )
    decide, decided, report, plain, accepted, page, arm_change, arms_page, change = schemas
    made.setdefault("components", {}).setdefault("schemas", {}).update(components)
    paths, name = made["paths"], made["paths"]["/v1/experiments/{name}"]["get"]["parameters"]
    paths["/v1/experiments/{name}/decide"] = {
        "post": {"summary": "Decide which arm a unit is shown", "parameters": name}
        | _body({"application/json": decide})
        | _answers({"200": decided}, "400", "404", "413", "422")
    }
    events = {"type": "array", "items": {"anyOf": [report, plain]}}
    paths["/v1/events"] = {
        "post": {"summary": "Report impressions and outcomes; 202 means durable"}
        | _body({"application/json": events, "text/plain": events})
        | _answers({"202": accepted}, "400", "413", "503")
    }
    paths["/v1/experiments/{name}"]["get"] |= _answers({"200": page}, "404")
    arms = paths["/v1/experiments/{name}/arms"]
    arms["get"] |= _answers({"200": {"type": "array", "items": arms_page}}, "404")
    arms["post"] |= _body({"application/json": arm_change}) | _answers(
        {"200": arms_page}, "404", "409", "422", "503"
    )
    audit = paths["/v1/audit"]["get"]
    audit["responses"] |= _answers({"200": {"type": "array", "items": change}})["responses"]
    _imports(paths, made["components"]["schemas"])
    _document_candidates(made)
    paths[ESTIMATES]["get"] |= _answers({"200": document_estimates(made)}, "404", "422")
    paths["/v1/experiments"]["get"] |= _answers({"200": {"type": "array", "items": page}})
    _secure(made)
    app.openapi_schema = made


def _secure(made: dict[str, Any]) -> None:
    """Name the keys that each door takes, and what the gate may answer before it."""
    made["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": _KEYS},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": _KEYS},
    }
    keys: list[dict[str, list[str]]] = [{"bearer": []}, {"header": []}]
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            need = door_of(method.upper(), path).need
            closed = need != "nothing"
            operation["security"] = keys if closed else [{}, *keys] if path == EVENTS else []
            if closed or path == EVENTS:
                told = "401", "403", *(("429",) if path == EVENTS or need == "decide" else ())
                operation["responses"] |= _answers({}, *told)["responses"]
                scope = f"an API key with the scope {need}" if need != "any key" else "any API key"
                operation["description"] = " ".join(
                    filter(None, [operation.get("description"), f"Needs {scope}." * closed])
                )


def _imports(paths: dict[str, Any], known: dict[str, Any]) -> None:
    """The two doors for batches: CSV, or a JSON array of rows."""
    kinds = (PastTrials, RewardsAnswer, ArmRow, ArmsAnswer)
    (past, rewards, arm, arms), components = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}"
    )
    known.update(components)
    for path, row, answer in (("import", past, rewards), ("arms/import", arm, arms)):
        bodies = {
            "application/json": {"type": "array", "items": row},
            "text/csv": {"type": "string"},
        }
        paths[f"/v1/experiments/{{name}}/{path}"]["post"] |= _body(bodies) | _answers(
            {"200": answer}, "400", "404", "413", "422", "503"
        )


def _document_candidates(made: dict[str, Any]) -> None:
    (asked, answered), components = msgspec.json.schema_components(
        (RefreshRequest, Refresh), ref_template="#/components/schemas/{name}"
    )
    made["components"]["schemas"].update(components)
    refresh = made["paths"]["/v1/experiments/{name}/candidates/refresh"]["post"]
    refresh |= _answers({"200": answered}, "404", "409", "413", "422", "503")
    refresh["requestBody"] = {"content": {"application/json": {"schema": asked}}}


def _body(schemas: dict[str, Any]) -> dict[str, Any]:
    content = {media: {"schema": schema} for media, schema in schemas.items()}
    return {"requestBody": {"required": True, "content": content}}


def _answers(schemas: dict[str, Any], *refusals: str) -> dict[str, Any]:
    good = {
        status: {"description": "as asked", "content": {"application/json": {"schema": schema}}}
        for status, schema in schemas.items()
    }
    return {"responses": good | {code: {"description": _REFUSALS[code]} for code in refusals}}
