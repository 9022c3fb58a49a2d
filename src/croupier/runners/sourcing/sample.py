"""What a source makes of sample records, without Kafka: one record a line."""

from collections.abc import Iterable, Iterator
from typing import Any

from croupier.clock import Clock, TurnedClock
from croupier.config.backends import open_backends
from croupier.config.keys import Keys
from croupier.config.services import Stores
from croupier.config.settings import Settings
from croupier.core.sources.declared import Source
from croupier.core.sources.reading import Reader
from croupier.core.token import Signer, TokenError
from croupier.ports import TopicRecord
from croupier.runners.declare import declare
from croupier.runners.distributed.serving import service_of
from croupier.runners.looking.readable import fields_of
from croupier.runners.sourcing.judge import Judge

_LONG_AGO = 1


def read_sample(
    settings: Settings, source: Source, lines: Iterable[bytes], keys: Keys | None
) -> Iterator[dict[str, Any]]:
    """For each line what it amounts to: events, refusals and why it is skipped.

    With keys, tokens are verified and all checks are made, as if everything in the file had been
    declared for ever, and as if each record had come at its own time, or, where it says none, at
    its decision's. Without, the answer is what the mapping reads: a `report`.
    """
    records = (
        TopicRecord(0, number, None, line.rstrip(b"\r\n") or None)
        for number, line in enumerate(lines)
    )
    if keys is None:
        reader = Reader(source, settings.server.max_body, settings.server.max_events)
        for record in records:
            reading = reader.read(record.value, f"{source.name}/0/{record.offset}")
            told = [(one.item, {"report": one.fields}) for one in reading.reports]
            yield from _told(record, told, reading.refused, reading.skipped)
        return
    backends = open_backends("memory://", clock=TurnedClock(_LONG_AGO))
    history = declare(settings, backends.log, backends.clock)
    stores = Stores(
        backends.clock, backends.log, lambda _: backends.states, backends.cache, backends.cache
    )
    service = service_of(settings, stores, history, keys)
    judge = Judge(source, service)
    for record in records:
        times = [_time_of(one.fields, service.signer) for one in judge.read(record).reports]
        verdict = judge.judge(record, max(times, default=0))
        told = [
            (item, {"event": fields_of(event, service.declarations)})
            for item, event in verdict.events
        ]
        yield from _told(record, told, verdict.refused, verdict.skipped)


def _time_of(fields: dict[str, Any], signer: Signer) -> int:
    """When a report would have come; now, where nothing says."""
    for key in ("at", "decided_at"):
        if key in fields:
            return int(fields[key])
    try:
        return signer.verify(str(fields.get("token"))).at
    except TokenError:
        return Clock().now()


def _told(
    record: TopicRecord, told: list[tuple[int, dict[str, Any]]], refused: Any, skipped: Any
) -> Iterator[dict[str, Any]]:
    line = {"line": record.offset + 1}
    for item, what in told:
        yield line | {"item": item} | what
    for one in refused:
        yield line | {"item": one.item, "refused": one.code, "reason": one.reason}
    for why, count in skipped.items():
        if count:
            yield line | {"skipped": why, "items": count}
