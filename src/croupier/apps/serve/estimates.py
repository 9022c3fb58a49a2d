"""The door for estimates and verdicts: what the sums say of the arms."""

from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Query, Response
from starlette.exceptions import HTTPException

from croupier.apps.serve.service import Service
from croupier.core import codec
from croupier.core.declarations import Declarations
from croupier.core.estimate.page import Estimates, estimates
from croupier.core.estimate.panel import Known
from croupier.core.records import ArmSet
from croupier.ports import ARMS, EventLog, SnapshotCache, StateStore, entries_between

PATH = "/v1/experiments/{name}/estimates"


def estimate_doors(app: FastAPI, service: Service) -> None:
    """Add the door to the app."""

    @app.get(PATH)
    def estimate(name: str, worth: Annotated[float, Query(ge=0, le=1e9)] = 0.0) -> Response:
        """Lifts that survive changing shares, intervals for any time, and a verdict.

        `worth` is what a trial must earn more to be worth a change: a best arm is settled when no
        other can earn that much more.
        """
        if name not in service.experiments:
            raise HTTPException(404, f"no experiment {name[:100]!r} is declared")
        known = known_of(service.log, service.states, service.cache, service.declarations, name)
        answer = msgspec.json.encode(estimates(known, worth))
        return Response(answer, media_type="application/json")


def known_of(
    log: EventLog,
    states: StateStore,
    cache: SnapshotCache,
    declarations: Declarations,
    name: str,
) -> Known:
    """What estimates of one experiment are made of, from the ports."""
    standing = states.load(name)
    history = [
        record
        for entries in entries_between(log, ARMS, {}, log.ends(ARMS))
        for record in codec.decode_all(entry.payload for entry in entries)
        if isinstance(record, ArmSet) and record.experiment == name
    ]
    return Known(
        declarations.latest(name),
        declarations.arms(name),
        standing.sums,
        standing.watermark,
        cache.latest(name),
        history,
    )


def document_estimates(made: dict[str, Any]) -> dict[str, Any]:
    """The schema of the answer; its parts are put into the document."""
    (answer,), components = msgspec.json.schema_components(
        [Estimates], ref_template="#/components/schemas/{name}"
    )
    made["components"]["schemas"].update(components)
    return answer
