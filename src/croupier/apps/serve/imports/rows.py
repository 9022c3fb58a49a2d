"""Bodies of CSV or JSON → rows; a bad one becomes the reason why."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, get_args

import msgspec

from croupier.apps.serve.report import NOT_JSON, not_json
from croupier.core.past import RowError

T = TypeVar("T", bound=msgspec.Struct)
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_COLUMN = re.compile(r" - at `\$\.(\w+).*`$")
_FIELD = re.compile(r"field `(.+)`$")
_WORDS = {
    "Expected `int`": "a whole number",
    "Expected `float`": "a number",
    "Invalid decimal string": "a number",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NotRowsError(ValueError):
    """The body as a whole cannot be read as rows."""


def read_rows(body: bytes, media: str, kind: type[T], most: int) -> list[T | RowError]:
    """The rows of a body (text/csv, else a JSON array), each as a `kind` or why it is none."""
    if media.partition(";")[0].strip().lower() == "text/csv":
        rows: Iterator[T | RowError] = _csv_rows(body, kind)
    else:
        rows = _json_rows(body, kind)
    found = []
    for row in rows:
        found.append(row)
        if len(found) > most:
            raise NotRowsError(f"at most {most} rows in a request: send several, with one key")
    return found


def read_time(at: int | str | None) -> int | None:
    """Milliseconds since 1970 from such a number or from ISO 8601, UTC where no zone is said.

    >>> read_time("2026-11-22T01:00:00+01:00"), read_time("1795305600000"), read_time(None)
    (1795305600000, 1795305600000, None)
    """
    if at is None:
        return None
    if isinstance(at, str) and not re.fullmatch(r"-?\d{1,15}", at):
        try:
            time = datetime.fromisoformat(at)
        except ValueError:
            raise RowError(
                "at", f"expected milliseconds since 1970 or such as 2026-11-22T10:00Z, got {at!r}"
            ) from None
        zoned = time if time.tzinfo else time.replace(tzinfo=UTC)
        return (zoned - _EPOCH) // timedelta(milliseconds=1)
    return int(at)


def _json_rows(body: bytes, kind: type[T]) -> Iterator[T | RowError]:
    try:
        raws = _RAWS.decode(body)
    except msgspec.ValidationError:
        raise NotRowsError("expected a JSON array of rows; for one row, send [{…}]") from None
    except NOT_JSON as error:
        raise NotRowsError(not_json(error)) from None
    decoder = msgspec.json.Decoder(kind)
    for raw in raws:
        try:
            yield decoder.decode(raw)
        except NOT_JSON as error:
            yield _refusal(error, kind)


def _csv_rows(body: bytes, kind: type[T]) -> Iterator[T | RowError]:
    try:
        table = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        header = list(table.fieldnames or [])
        _check_header(header, kind)
        for cells in table:
            yield _csv_row(cells, kind)
    except UnicodeDecodeError as error:
        raise NotRowsError(f"the body is not UTF-8: {error.reason}") from None
    except csv.Error as error:
        raise NotRowsError(f"the body is not CSV: {error}") from None


def _check_header(header: list[str], kind: type[T]) -> None:
    fields = {field.name: field.required for field in msgspec.structs.fields(kind)}
    unknown = [name for name in header if name not in fields]
    missing = [name for name, required in fields.items() if required and name not in header]
    twice = sorted({name for name in header if header.count(name) > 1})
    if unknown or missing or twice:
        raise NotRowsError(
            f"the first line must name columns among {', '.join(fields)}; "
            f"missing: {', '.join(missing) or 'none'}; "
            f"unknown: {', '.join(unknown)[:200] or 'none'}"
            + (f"; there twice: {', '.join(twice)}" if twice else "")
        )


def _csv_row(cells: dict[str, Any], kind: type[T]) -> T | RowError:
    if None in cells:
        return RowError("", "more cells than columns")
    given = {name: cell for name, cell in cells.items() if cell not in {None, ""}}
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        refused = _refusal(error, kind)
        wanted = next((word for said, word in _WORDS.items() if str(refused).startswith(said)), "")
        if not wanted:
            return refused
        got = given.get(refused.column, "")[:40]
        return RowError(refused.column, f"expected {wanted}, got {got!r}")


def _refusal(error: Exception, kind: type[T]) -> RowError:
    """The decoder's words, with the column that they are about and the values that it takes."""
    text = not_json(error) if isinstance(error, RecursionError) else str(error)
    place, field = _COLUMN.search(text), _FIELD.search(text)
    column = place[1] if place else field[1] if field else ""
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    known = f"expected one of {', '.join(map(str, get_args(types.get(column))))}, got"
    return RowError(column, _COLUMN.sub("", text).replace("Invalid enum value", known))
