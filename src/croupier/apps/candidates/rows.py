"""A table of candidates → the rows that can be read, and why the others cannot."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from croupier.core.candidates.declared import Columns
from croupier.core.diversity import LONGEST_GROUP, usable_group
from croupier.core.experiment import LONGEST_ARM, Experiment
from croupier.core.refresh import BadRow, Row

_YES = frozenset(("true", "yes", "y", "on", "1", "active"))
_NO = frozenset(("false", "no", "n", "off", "0", "inactive", "paused"))
_MOST_MILLIS = 2**43
_NO_COLUMN = "there is no such column"


class Listed(NamedTuple):
    """What a table says of one experiment: `size` rows, and those that could not be read."""

    rows: list[Row]
    bad: list[BadRow]
    size: int

    @property
    def first_bad(self) -> str:
        """The end of a reason: the first row that could not be read, where there is one."""
        first = self.bad[0] if self.bad else None
        return f"; row {first.row}: {first.column}: {first.reason}" if first else ""


def read_rows(rows: Iterable[Mapping[str, object]], spec: Experiment) -> Listed:
    """The rows of one experiment, each bad one with its number, column and reason."""
    assert spec.candidates is not None
    columns = spec.candidates.columns
    found, told, number = Listed([], [], 0), not columns.experiment, 0
    for number, row in enumerate(rows, 1):
        told = told or columns.experiment in row
        if columns.experiment and _text(row.get(columns.experiment)) != spec.name:
            continue
        found = found._replace(size=found.size + 1)
        try:
            found.rows.append(_row(row, columns))
        except _BadValueError as error:
            name = _text(row.get(columns.arm))
            found.bad.append(BadRow(number, error.column, str(error), name[:LONGEST_ARM]))
    if number and not told:  # of no row is it known whose it is
        found.bad.append(BadRow(1, columns.experiment, _NO_COLUMN))
    return found


class _BadValueError(ValueError):
    """Why a row cannot be read, and in which column."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column


def _row(row: Mapping[str, object], columns: Columns) -> Row:
    for column in msgspec.structs.astuple(columns):
        if column and column not in row:
            raise _BadValueError(column, _NO_COLUMN)
    arm = _text(row[columns.arm])
    if not 0 < len(arm) <= LONGEST_ARM or not arm.isprintable():
        raise _BadValueError(columns.arm, f"expected 1 to {LONGEST_ARM} printable characters")
    return Row(
        arm,
        not columns.active or _flag(columns.active, row[columns.active]),
        _time(columns.valid_from, row),
        _time(columns.valid_until, row),
        _group(columns.group, row[columns.group]) if columns.group else None,
    )


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _group(column: str, value: object) -> str:
    text = _text(value)
    if not usable_group(text):
        raise _BadValueError(column, f"expected up to {LONGEST_GROUP} printable characters")
    return text


def _flag(column: str, value: object) -> bool:
    text = _text(value).lower()
    if text not in _YES | _NO:
        raise _BadValueError(column, f"expected yes or no, got {text[:40]!r}")
    return text in _YES


def _time(column: str, row: Mapping[str, object]) -> int | None:
    """Milliseconds since 1970, as such or as ISO 8601 (UTC, where it does not say otherwise)."""
    text = _text(row[column]) if column else ""
    if not text:
        return None
    try:
        if text.lstrip("-").isdecimal() and len(text) > 8:
            millis = int(text)
        else:
            moment = datetime.fromisoformat(text)
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            millis = round(aware.timestamp() * 1000)
    except (ValueError, OverflowError):
        millis = -1
    if not 0 <= millis < _MOST_MILLIS:
        raise _BadValueError(column, f"expected a time such as 2026-01-31T08:00, got {text[:40]!r}")
    return millis
