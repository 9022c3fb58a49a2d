"""candidates: a table of arms → changes of an experiment's arms."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from croupier.core.arm_changes import ArmChangeError
from croupier.core.candidates.declared import Columns
from croupier.core.declarations import Declarations
from croupier.core.experiment import LONGEST_ARM, Experiment
from croupier.core.records import ArmSet
from croupier.core.refresh import (
    BY,
    BadRow,
    Refresh,
    Row,
    apply,
    compare,
    refusal,
    wanted_arms,
)
from croupier.ports import Table, UnavailableError

Record = Callable[[str, Callable[[ArmSet, int], tuple[ArmSet, str]], str], ArmSet]
"""How a change of arms is recorded: experiment, change, by whom → the arms after it."""

_YES = frozenset(("true", "yes", "y", "on", "1", "active"))
_NO = frozenset(("false", "no", "n", "off", "0", "inactive", "paused"))
_MOST_BAD = 100
_MOST_MILLIS = 2**43


class Listed(NamedTuple):
    """What a table says of one experiment: `size` rows, and those that could not be read."""

    rows: list[Row]
    bad: list[BadRow]
    size: int


class CandidateTables:
    """The tables of all experiments that declare one; a refresh makes arms be what they list."""

    def __init__(
        self,
        specs: Mapping[str, Experiment],
        tables: Mapping[str, Table],
        declarations: Declarations,
        record: Record,
        counters: Counter[tuple[str, ...]],
    ) -> None:
        self._specs, self._tables = specs, tables
        self._declarations, self._record, self._counters = declarations, record, counters

    @property
    def names(self) -> tuple[str, ...]:
        """The experiments that have a table."""
        return tuple(self._tables)

    def refresh(self, name: str, *, dry_run: bool = False, force: bool = False) -> Refresh:
        """Read the table, and change what differs; `force` believes any share of vanished arms.

        A table that cannot be read changes nothing. UnavailableError when the log is away.
        """
        found = self._refresh(name, dry_run=dry_run, force=force)
        if not dry_run:
            self._counters["candidates", name, found.outcome] += 1
            self._counters["candidates_bad_rows", name] = len(found.bad_rows)
        return found

    def _refresh(self, name: str, *, dry_run: bool, force: bool) -> Refresh:
        spec, version = self._specs[name], self._declarations.arms(name).version
        try:
            rows = self._tables[name].rows()
        except UnavailableError as error:
            return Refresh(name, "unreadable", version, dry_run, reason=str(error))
        listed = read_rows(rows, spec)
        told: list[Refresh] = []

        def change(arms: ArmSet, now: int) -> tuple[ArmSet, str]:
            after, found = self._change(spec, listed, arms, now, force=force)
            told.append(found)
            return (arms if dry_run else after), found.change.words()

        after = self._record(name, change, BY)
        return msgspec.structs.replace(told[-1], version=after.version, dry_run=dry_run)

    def _change(
        self, spec: Experiment, listed: Listed, arms: ArmSet, now: int, *, force: bool
    ) -> tuple[ArmSet, Refresh]:
        assert spec.candidates is not None
        untouched = {bad.arm for bad in listed.bad}
        wanted = wanted_arms(listed.rows, spec.defaults, now)
        made = compare(arms, wanted, untouched, self._declarations.hands(spec.name))
        most = 1.0 if force else spec.candidates.most
        after, reason = arms, refusal(arms, wanted, made, most) or ""
        if not reason:
            try:
                after = apply(arms, made, keep=spec.candidates.keep)
            except ArmChangeError as error:
                reason = str(error)
        return after, Refresh(
            experiment=spec.name,
            outcome="refused" if reason else "changed" if after != arms else "same",
            version=arms.version,
            rows=listed.size,
            change=made,
            reason=reason,
            bad_rows=tuple(listed.bad[:_MOST_BAD]),
        )


def first_arms(spec: Experiment, table: Table, now: int) -> list[str]:
    """The arms that a new experiment begins with, in order; UnavailableError where it has none."""
    listed = read_rows(table.rows(), spec)
    wanted = wanted_arms(listed.rows, spec.defaults, now)
    if not wanted:
        bad = listed.bad[0] if listed.bad else None
        why = f"; row {bad.row}: {bad.column}: {bad.reason}" if bad else ""
        raise UnavailableError(f"{listed.size} rows list no arm that is to be shown now{why}")
    return sorted(wanted)


def read_rows(rows: Iterable[Mapping[str, object]], spec: Experiment) -> Listed:
    """The rows of one experiment, each bad one with its number, column and reason."""
    assert spec.candidates is not None
    columns = spec.candidates.columns
    found = Listed([], [], 0)
    for number, row in enumerate(rows, 1):
        if columns.experiment and _text(row.get(columns.experiment)) != spec.name:
            continue
        found = found._replace(size=found.size + 1)
        try:
            found.rows.append(_row(row, columns))
        except _BadValueError as error:
            name = _text(row.get(columns.arm))
            found.bad.append(BadRow(number, error.column, str(error), name[:LONGEST_ARM]))
    return found


class _BadValueError(ValueError):
    """Why a row cannot be read, and in which column."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column


def _row(row: Mapping[str, object], columns: Columns) -> Row:
    for column in msgspec.structs.astuple(columns):
        if column and column not in row:
            raise _BadValueError(column, "there is no such column")
    arm = _text(row[columns.arm])
    if not 0 < len(arm) <= LONGEST_ARM or not arm.isprintable():
        raise _BadValueError(columns.arm, f"expected 1 to {LONGEST_ARM} printable characters")
    return Row(
        arm,
        not columns.active or _flag(columns.active, row[columns.active]),
        _time(columns.valid_from, row),
        _time(columns.valid_until, row),
    )


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


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
