"""Bytes of a company's record → the reports in it, or why there is none."""

import json
from collections import Counter
from typing import Any, NamedTuple

import msgspec

from croupier.core.sources.declared import Source
from croupier.core.sources.finding import Finding, SkippedError, text_of
from croupier.core.sources.path import Path


class Report(NamedTuple):
    """What one item says: fields as our door takes them, but `slot` may stand for `arm`."""

    item: int
    fields: dict[str, Any]


class Refusal(NamedTuple):
    """Why an item cannot be used: a code to count by, a sentence, and which of the record's."""

    code: str
    reason: str
    item: int = 0


class Reading(NamedTuple):
    """What a record amounts to. `skipped` counts items that are not about us, by why."""

    reports: list[Report]
    refused: list[Refusal]
    skipped: Counter[str]


class Reader:
    """Reads the records of one source; no bytes whatever make it raise.

    >>> source = Source("orders", "shop.orders", "purchase", token="ctx.croupier", value="total")
    >>> record = b'{"ctx": {"croupier": "AQEB"}, "total": "12.50"}'
    >>> Reader(source).read(record, "orders/0/7").reports[0].fields
    {'kind': 'purchase', 'token': 'AQEB', 'value': 12.5, 'id': 'orders/0/7'}
    """

    def __init__(self, source: Source, most_bytes: int = 1 << 20, most_items: int = 10_000) -> None:
        self._most_bytes, self._most_items = most_bytes, most_items
        self._each = Path(source.each) if source.each else None
        self._finding = Finding(source)
        self._id = Path(source.id) if source.id and source.id != "none" else None
        self._without_id = source.id == "none"

    def read(self, value: bytes | None, place: str) -> Reading:
        """The reports of a record that stands at a place, which tells it from all others."""
        reading = Reading([], [], Counter())
        if value is None:
            reading.skipped["empty"] += 1
            return reading
        try:
            record = self._parse(value)
            items = [] if (out := self._finding.excludes(record)) else self._items(record)
        except ValueError as error:
            code, reason = error.args
            reading.refused.append(Refusal(code, reason))
            return reading
        if not items:
            reading.skipped["where" if out else "empty"] += 1
        for number, item in enumerate(items):
            try:
                reading.reports.append(Report(number, self._fields(record, item, number, place)))
            except SkippedError as error:
                reading.skipped[str(error)] += 1
            except ValueError as error:
                reading.refused.append(Refusal("malformed", str(error), number))
        return reading

    def _parse(self, value: bytes) -> Any:
        if len(value) > self._most_bytes:
            raise ValueError("size", f"{len(value)} bytes: at most {self._most_bytes} (max_body)")
        if value[:1] == b"\0":  # as serializers with a schema registry begin: 0, and its number
            value = value[5:]
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            told = error
        try:
            return json.loads(value.decode("utf-8"))  # reads texts that are cut through an emoji
        except (ValueError, RecursionError):
            deep = isinstance(told, RecursionError)
            why = "nested too deeply" if deep else str(told)
            raise ValueError("malformed", f"not JSON: {why}") from None

    def _items(self, record: Any) -> list[Any]:
        items = [None] if self._each is None else self._each.find(record)
        if items is None:
            return []
        if not isinstance(items, list):
            raise ValueError("malformed", "each: expected a list")  # noqa: TRY004 - as all others
        if len(items) > self._most_items:
            raise ValueError("batch", f"{len(items)} items: at most {self._most_items}")
        return items

    def _fields(self, record: Any, item: Any, number: int, place: str) -> dict[str, Any]:
        fields = self._finding.fields(record, item)
        if not self._without_id:
            fields["id"] = self._name(record, item, number, place)
        return fields

    def _name(self, record: Any, item: Any, number: int, place: str) -> str:
        """What tells this outcome from others: its own id, or its place; and its item."""
        try:
            own = None if self._id is None else text_of(self._id.find(record, item))
        except ValueError as error:
            raise ValueError(f"id: {error}") from None
        name = place if own is None else own
        whole = own is not None and self._id is not None and self._id.of_item
        return name if self._each is None or whole else f"{name}/{number}"
