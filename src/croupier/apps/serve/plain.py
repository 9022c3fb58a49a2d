"""Decisions made elsewhere, stated by their fields, for keys that may ingest."""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from croupier.apps.serve.report import PlainReport, RefusedError
from croupier.apps.serve.service import Service
from croupier.core.api_key import ApiKey
from croupier.core.decide import hash_unit
from croupier.core.menu import as_float32
from croupier.core.records import Decision, Declaration
from croupier.core.session import session_at

LEAST_PROPENSITY = 1e-6
_OURS = 30


class PlainDecisions:
    """Reads the plain fields of a decision; equal fields are one story, others are others.

    The story's id is the decision's time and a keyed hash of every field, so that nobody can
    state one decision in two ways, or touch the story of a token (ADR 0011).
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def read(self, report: PlainReport, received: int, key: ApiKey | None) -> Decision:
        """The decision that a report states; RefusedError says why it is refused."""
        name = report.experiment
        self._permit(name, key)
        if name not in self._service.experiments:
            raise RefusedError("plain", f"no experiment {name!r} is declared")
        if self._is_ours(report):
            raise RefusedError(
                "plain", "tracking_id is of a decision made here: send the token of that decision"
            )
        declaration = self._declaration(report, received)
        spec = declaration.spec
        unit = hash_unit(self._service.unit_key, report.unit)
        at = report.decided_at
        decision = Decision(
            tracking_id=at.to_bytes(6, "big"),
            experiment=name,
            unit=unit,
            session=0 if spec.session is None else session_at(unit, at, spec.session),
            declaration=declaration.version,
            snapshot=report.version,
            slate=self._slate(report, spec.slots),
            propensities=_shares("propensities", report.propensities, len(report.slate)),
            reason=report.reason,
            inclusions=_inclusions(report, pooled=spec.pools),
        )
        stated = msgspec.msgpack.encode((decision, report.tracking_id))
        tail = blake2b(
            stated, digest_size=9, key=self._service.unit_key, person=b"croupier-plain"
        ).digest()
        return msgspec.structs.replace(decision, tracking_id=decision.tracking_id + tail)

    def _permit(self, name: str, key: ApiKey | None) -> None:
        if key is None:
            raise RefusedError(
                "key", "without a token, an event needs an API key with the scope ingest"
            )
        if not key.may("ingest"):
            raise RefusedError("key", f"the API key {key.name} has not the scope ingest")
        if not key.touches(name):
            raise RefusedError("key", f"the API key {key.name} is not for this experiment")

    def _is_ours(self, report: PlainReport) -> bool:
        """Whether the id looks like one that decide gave out: 30 hex digits, time first."""
        text = report.tracking_id
        head = f"{report.decided_at:012x}"
        return len(text) == _OURS and text[:12].lower() == head

    def _declaration(self, report: PlainReport, received: int) -> Declaration:
        book, name = self._service.declarations, report.experiment
        if report.declaration is not None:
            found = book.find(name, report.declaration)
            if found is None:
                raise RefusedError("plain", f"{name} has no declaration {report.declaration}")
            return found
        if report.decided_at > received:
            raise RefusedError(
                "clock", "decided_at is in the future: set the clock, or name the declaration"
            )
        found = book.in_force(name, report.decided_at)
        if found is None:
            raise RefusedError("plain", f"{name} was not declared yet at decided_at")
        return found

    def _slate(self, report: PlainReport, slots: int) -> tuple[int, ...]:
        known = self._service.arm_numbers(report.experiment)
        for arm in report.slate:
            if arm not in known:
                raise RefusedError("arm", f"slate: {arm[:200]!r} is not an arm")
        slate = tuple(known[arm] for arm in report.slate)
        if len(set(slate)) != len(slate) or len(slate) > slots:
            raise RefusedError("plain", f"slate: expected at most {slots} arms, each once")
        return slate


def _inclusions(report: PlainReport, *, pooled: bool) -> tuple[float, ...]:
    if pooled:
        return _shares("inclusions", report.inclusions, len(report.slate))
    if report.inclusions:
        raise RefusedError("plain", "inclusions: only for slots that are pooled")
    return ()


def _shares(what: str, shares: Sequence[float], size: int) -> tuple[float, ...]:
    if len(shares) != size or not all(LEAST_PROPENSITY <= share <= 1 for share in shares):
        raise RefusedError(
            "plain",
            f"{what}: expected a share from {LEAST_PROPENSITY:g} to 1 for each arm of slate",
        )
    return tuple(map(as_float32, shares))
