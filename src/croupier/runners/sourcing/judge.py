"""What a record of a source comes to, after our door's own checks."""

from collections import Counter
from typing import Any, NamedTuple

import msgspec

from croupier.apps.serve.gate import Visit
from croupier.apps.serve.ingest import Ingest
from croupier.apps.serve.report import PlainReport, RefusedError, read_report
from croupier.apps.serve.service import Service
from croupier.core.api_key import ApiKey
from croupier.core.duration import format_duration
from croupier.core.records import Event
from croupier.core.sources.declared import Source
from croupier.core.sources.reading import Reader, Reading, Refusal, Report
from croupier.core.token import TokenError
from croupier.ports import TopicRecord

MAY_PASS = frozenset({"token", "arm", "plain"})
"""Refusals that a declaration could undo that we have not read yet."""


class Verdict(NamedTuple):
    """Events for the log with the item that each is of, what is refused, what is not about us."""

    events: list[tuple[int, Event]]
    refused: list[Refusal]
    skipped: Counter[str]

    @property
    def may_pass(self) -> bool:
        """Whether it may be another one when what is declared has been read on."""
        return any(one.code in MAY_PASS for one in self.refused)


class Judge:
    """Reads the records of one source and holds them to what the HTTP door asks of its callers.

    The mapping stands for an API key with the scope `ingest`. Without a time of its own an event's
    is its record's stamp, bounded by decision and receipt. What could no longer count is refused
    as late.
    """

    def __init__(self, source: Source, service: Service) -> None:
        self.source, self._service = source, service
        self._reader = Reader(source, service.limits.body, service.limits.events)
        self._ingest = Ingest(service)
        key = ApiKey(f"source {source.name}", ("ingest",), "")
        self._visit = Visit(key, lambda _: None)

    def read(self, record: TopicRecord) -> Reading:
        """What the mapping alone makes of a record."""
        place = f"{self.source.name}/{record.partition}/{record.offset}"
        return self._reader.read(record.value, place)

    def judge(self, record: TopicRecord, received: int) -> Verdict:
        """What it amounts to when it is received at some time."""
        reading = self.read(record)
        verdict = Verdict([], list(reading.refused), reading.skipped)
        for report in reading.reports:
            try:
                event = self._event(report, record.stamp, received)
                self._must_be_in_time(event, received)
            except RefusedError as refusal:
                verdict.refused.append(Refusal(refusal.code, str(refusal), report.item))
            else:
                verdict.events.append((report.item, event))
        return verdict

    def _event(self, said: Report, stamp: int | None, received: int) -> Event:
        fields = dict(said.fields)
        slot = fields.pop("slot", None)
        report = read_report(fields)
        if isinstance(report, RefusedError):
            raise report
        if slot is not None:
            report.arm = self._shown_in(report, slot)
        event = self._ingest.check(report, received, self._visit)
        if report.at is None and stamp is not None:
            at = min(max(stamp, event.decision.at), received)
            event = msgspec.structs.replace(event, at=at)
        return event

    def _shown_in(self, report: Any, slot: int) -> str:
        """The arm of one slot of the slate."""
        try:
            if isinstance(report, PlainReport):
                return report.slate[slot]
            decision = self._service.signer.verify(report.token)
            return (
                self._service.declarations.arms(decision.experiment).arms[decision.slate[slot]].name
            )
        except TokenError as error:
            raise RefusedError("token", str(error)) from None
        except IndexError:
            raise RefusedError("arm", f"slot {slot} is not in the slate") from None

    def _must_be_in_time(self, event: Event, received: int) -> None:
        """Else join would only set it aside: a record is late by our log's stamp."""
        decision = event.decision
        spec = self._service.declarations.need(decision.experiment, decision.declaration).spec
        late = received - self._service.limits.skew - (decision.at + spec.horizon)
        if late > 0:
            raise RefusedError(
                "late", f"its story closed {format_duration(late)} ago: it can count no more"
            )
