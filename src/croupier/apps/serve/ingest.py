"""What callers report → records; each bad one refused with its reason."""

from typing import Any, NamedTuple

import msgspec

from croupier.apps.serve.gate import Visit
from croupier.apps.serve.plain import PlainDecisions
from croupier.apps.serve.report import (
    NotABatchError,
    PlainReport,
    RefusedError,
    Report,
    read_reports,
)
from croupier.apps.serve.service import Service
from croupier.core import codec
from croupier.core.duration import format_duration
from croupier.core.name import usable_name
from croupier.core.records import IMPRESSION, Decision, Event
from croupier.core.reward import MICRO
from croupier.core.token import TokenError

_MOST_VALUE = 1e9
_MOST_KINDS = 1_000
CODES = ("token", "clock", "expired", "arm", "kind", "value", "malformed", "batch", "key", "plain")
"""Why an event, or a whole batch, is refused: the label of the metric."""


class Rejected(msgspec.Struct):
    """Which event of a batch was refused, and why."""

    index: int
    reason: str


class Batch(NamedTuple):
    """What a request amounts to: records ready for the log by tracking id, and what was refused."""

    records: list[bytes]
    keys: list[bytes]
    rejected: list[Rejected]


class Ingest:
    """Turns request bodies into records; knows tokens, arms, clocks and bounds."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._plain = PlainDecisions(service)
        self._kinds = {IMPRESSION}

    def read(self, body: bytes, visit: Visit | None = None) -> Batch:
        """The records and refusals of one request; NotABatchError when it is no batch at all.

        HttpError when the visitor may not report so many now.
        """
        received = self._service.clock.now()
        records: list[bytes] = []
        keys: list[bytes] = []
        rejected: list[Rejected] = []
        charge = _nothing if visit is None else visit.charge
        try:
            reports = self._reports(body)
        except NotABatchError:
            charge(1)
            raise
        charge(max(1, len(reports)))
        for index, report in enumerate(reports):
            try:
                if isinstance(report, RefusedError):
                    raise report
                event = self.check(report, received, visit)
            except RefusedError as refusal:
                rejected.append(Rejected(index, str(refusal)))
                self._service.counters["rejected", refusal.code] += 1
            else:
                records.append(codec.encode(event))
                keys.append(event.decision.tracking_id)
        return Batch(records, keys, rejected)

    def check(self, report: Report | PlainReport, received: int, visit: Visit | None) -> Event:
        """One event for the log; RefusedError says why it is refused."""
        kind = report.kind
        if kind not in self._kinds:
            self._admit_kind(kind)
        if isinstance(report, Report):
            try:
                decision = self._service.signer.verify(report.token)
            except TokenError as error:
                raise RefusedError("token", str(error)) from None
        else:
            decision = self._plain.read(report, received, visit and visit.key)
        self._must_know_arms(decision)
        return Event(
            decision=decision,
            kind=kind,
            at=self._event_time(decision, report.at, received),
            slot=self._slot(decision, report),
            value=self._value(decision, report),
            id=report.id or "" if kind != IMPRESSION else "",
        )

    def _must_know_arms(self, decision: Decision) -> None:
        """Numbers are given once; but data restored from an older copy give some of them again."""
        service = self._service
        latest = decision.at + (0 if service.runner.one_clock else service.limits.skew)
        born = service.declarations.born(decision.experiment)
        for arm in decision.slate:
            if born.get(arm, latest + 1) > latest:
                raise RefusedError(
                    "token",
                    f"token shows arm {arm}, which was not there yet: were the data restored from "
                    "an older copy?",
                )

    def _reports(self, body: bytes) -> list[Any]:
        reports = read_reports(body)
        if len(reports) > self._service.limits.events:
            raise NotABatchError(f"at most {self._service.limits.events} events in a request")
        return reports

    def _admit_kind(self, kind: str) -> None:
        if not usable_name(kind):
            raise RefusedError("kind", "kind must be 1 to 64 letters, digits, '.', '_' or '-'")
        if len(self._kinds) < _MOST_KINDS:
            self._kinds.add(kind)

    def _event_time(self, decision: Decision, at: float | None, received: int) -> int:
        decided, limits = decision.at, self._service.limits
        if decided > received + limits.skew:
            raise RefusedError("clock", "token is from the future: the servers' clocks disagree")
        if limits.oldest is not None and received - decided > limits.oldest:
            raise RefusedError(
                "expired",
                f"token expired: its decision is older than the {format_duration(limits.oldest)} "
                "that the log is kept",
            )
        if at is None:
            return received
        if not decided - limits.skew <= at <= received + limits.skew:
            raise RefusedError(
                "clock",
                f"at must lie between the decision ({decided}) and now ({received}), give or take "
                f"{limits.skew} ms, got {_brief(at)}",
            )
        return min(max(int(at), decided), received)

    def _slot(self, decision: Decision, report: Report | PlainReport) -> int:
        if report.arm is None:
            if len(decision.slate) == 1:
                return 0
            if report.kind == IMPRESSION:
                return -1
            raise RefusedError("arm", "arm is required when slots > 1")
        number = self._service.arm_numbers(decision.experiment).get(report.arm, -1)
        if number not in decision.slate:
            raise RefusedError("arm", f"{report.arm[:200]!r} was not shown by this decision")
        return decision.slate.index(number)

    def _value(self, decision: Decision, report: Report | PlainReport) -> int:
        declaration = self._service.declarations.find(decision.experiment, decision.declaration)
        if declaration is None:
            raise RefusedError("token", "token is of a declaration that is not known here")
        value, term = report.value, declaration.spec.reward.terms.get(report.kind)
        if term is None and report.kind != IMPRESSION:
            self._service.counters["without_effect", decision.experiment] += 1
        if value is None:
            if term is not None and term.of == "value":
                raise RefusedError(
                    "value", f"value is required: the reward of {report.kind} is one"
                )
            return 0
        if not 0 <= value <= _MOST_VALUE:
            raise RefusedError(
                "value", f"value must be from 0 to {_MOST_VALUE:g}, got {_brief(value)}"
            )
        return round(value * MICRO)


def _nothing(_: int) -> None:
    """No gate counts."""


def _brief(number: float) -> str:
    """A number as the sender wrote it, unless that would fill the answer."""
    return str(number) if -1e18 < number < 1e18 else "a number beyond all bounds"
