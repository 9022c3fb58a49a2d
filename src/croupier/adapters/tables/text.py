"""Bytes → rows: CSV with a head, or a JSON array of objects or of texts."""

import csv
import io
import json
from collections.abc import Mapping

from croupier.ports import UnavailableError

MOST_BYTES = 64 * 1024 * 1024
MOST_ROWS = 1_000_000
OVER = "more"
"""The column under which a CSV row keeps what its head has no name for."""


def read_rows(body: bytes, where: str, *, is_json: bool | None) -> list[Mapping[str, object]]:
    r"""The rows of a text; where nobody says, it is JSON if it begins like an array.

    >>> read_rows(b"arm,active\nx,yes\n", "arms.csv", is_json=None)
    [{'arm': 'x', 'active': 'yes'}]
    >>> read_rows(b'["x", {"arm": "y"}]', "arms.json", is_json=None)
    [{'arm': 'x'}, {'arm': 'y'}]
    """
    try:
        text = body.decode("utf-8-sig")
        if is_json or (is_json is None and text.lstrip().startswith("[")):
            rows = _from_json(text)
        else:
            rows = _from_csv(text)
    except (ValueError, RecursionError, csv.Error) as error:
        raise UnavailableError(f"{where}: {error}") from error
    if len(rows) > MOST_ROWS:
        raise UnavailableError(f"{where}: {len(rows)} rows, at most {MOST_ROWS} are read")
    return rows


def _from_csv(text: str) -> list[Mapping[str, object]]:
    table = csv.DictReader(io.StringIO(text, newline=""), restkey=OVER, strict=True)
    names = list(filter(None, table.fieldnames or ()))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{names.count(twice)} columns are named {twice[:100]!r}: which is meant?")
    return list(table)


def _from_json(text: str) -> list[Mapping[str, object]]:
    found = json.loads(text)
    if not isinstance(found, list):
        raise ValueError("expected a JSON array of objects, or of texts")  # noqa: TRY004 - bad input
    return [each if isinstance(each, dict) else {"arm": each} for each in found]
