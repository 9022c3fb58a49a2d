"""OpenAPI for what FastAPI does not see: the hot doors, and msgspec's answers."""

from typing import Any

import msgspec
from fastapi import FastAPI

from croupier.apps.serve.answers import Accepted, Decided
from croupier.apps.serve.arms import ArmChange, ArmsPage
from croupier.apps.serve.report import Report
from croupier.apps.serve.service import DecideRequest
from croupier.apps.serve.standing import Page

_REFUSALS = {
    "400": "the body is not JSON, or no array",
    "404": "no such experiment",
    "409": "the arms do not allow this change",
    "413": "the body is too large",
    "422": "JSON, but not what is expected",
    "503": "the log is away; send again after Retry-After seconds",
}


def document(app: FastAPI) -> None:
    """Put into the OpenAPI document what FastAPI does not see: the hot doors, and the page."""
    made = app.openapi()
    kinds = (DecideRequest, Decided, Report, Accepted, Page, ArmChange, ArmsPage)
    schemas, components = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}"
    )
    decide, decided, report, accepted, page, arm_change, arms_page = schemas
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
    arms = paths["/v1/experiments/{name}/arms"]
    arms["get"] |= _answers({"200": {"type": "array", "items": arms_page}}, "404")
    arms["post"] |= _body({"application/json": arm_change}) | _answers(
        {"200": arms_page}, "404", "409", "422", "503"
    )
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
