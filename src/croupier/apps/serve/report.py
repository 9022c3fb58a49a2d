"""What callers send: the events of a body, one by one where one is different."""

import json
from typing import Annotated, Any

import msgspec

from croupier.core.records import Reason

NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What the JSON decoder raises for a body that is none."""


def not_json(error: Exception) -> str:
    """The reason, in words that a sender understands."""
    deep = isinstance(error, RecursionError)
    return f"the body is not JSON: {'it is nested too deeply' if deep else error}"


class Report(msgspec.Struct, forbid_unknown_fields=True):
    """One event as a caller sends it."""

    kind: Annotated[str, msgspec.Meta(max_length=64)]
    token: str
    arm: str | None = None
    at: int | float | None = None
    value: int | float | None = None
    id: Annotated[str, msgspec.Meta(max_length=128)] | None = None


class PlainReport(msgspec.Struct, forbid_unknown_fields=True):
    """One event on a decision that was made elsewhere: its fields instead of a token."""

    kind: Annotated[str, msgspec.Meta(max_length=64)]
    experiment: Annotated[str, msgspec.Meta(max_length=64)]
    tracking_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    decided_at: Annotated[int, msgspec.Meta(gt=0, lt=2**47)]
    unit: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
    slate: Annotated[list[str], msgspec.Meta(min_length=1, max_length=255)]
    propensities: Annotated[list[float], msgspec.Meta(min_length=1, max_length=255)]
    inclusions: Annotated[list[float], msgspec.Meta(max_length=255)] = []
    reason: Reason = "policy"
    version: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 0
    declaration: Annotated[int, msgspec.Meta(ge=1, lt=2**32)] | None = None
    arm: str | None = None
    at: int | float | None = None
    value: int | float | None = None
    id: Annotated[str, msgspec.Meta(max_length=128)] | None = None


class _Named(msgspec.Struct):
    tracking_id: msgspec.Raw = msgspec.Raw(b"")


class RefusedError(Exception):
    """Why one event is refused: a short code for the metrics, a sentence for the sender."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class NotABatchError(ValueError):
    """The body is not a JSON array of acceptable length."""


_REPORTS = msgspec.json.Decoder(list[Report])
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_REPORT = msgspec.json.Decoder(Report)
_NAMED = msgspec.json.Decoder(_Named)
_PLAIN = msgspec.json.Decoder(PlainReport)


def read_reports(body: bytes) -> list[Any]:
    """The events of a body: Report, PlainReport, or the RefusedError that says what is wrong.

    NotABatchError when the body is no JSON array.
    """
    try:
        reports: list[Any] = _REPORTS.decode(body)
    except NOT_JSON:
        reports = [read_report(each) for each in _one_by_one(body)]
    return reports


def _one_by_one(body: bytes) -> list[Any]:
    """The events of a batch that cannot be read as a whole, each as far as it can be read."""
    try:
        return list(_RAWS.decode(body))
    except NOT_JSON:
        pass
    try:
        events = json.loads(body)  # reads strings that are cut through an emoji
    except (ValueError, RecursionError) as error:
        raise NotABatchError(not_json(error)) from None
    if not isinstance(events, list):
        raise NotABatchError("expected a JSON array of events; for one event, send [{…}]")
    return events


def read_report(event: Any) -> Any:
    """One event, raw or as a dict: Report, PlainReport, or the RefusedError that says why not."""
    plain = False
    try:
        raw = event if isinstance(event, msgspec.Raw) else json.dumps(event, ensure_ascii=False)
        plain = _is_plain(raw)
        return _PLAIN.decode(raw) if plain else _REPORT.decode(raw)
    except UnicodeEncodeError:
        return RefusedError("malformed", "a text holds half a character (a lone surrogate)")
    except NOT_JSON as error:
        why = str(error).replace(" - at `$.", " at `")
        more = "; without a token, an event needs all fields of its decision" if plain else ""
        return RefusedError("malformed", why + more)


def _is_plain(raw: msgspec.Raw | str) -> bool:
    """Whether an event names its decision by a tracking id."""
    try:
        return bool(_NAMED.decode(raw).tracking_id)
    except NOT_JSON:
        return False
