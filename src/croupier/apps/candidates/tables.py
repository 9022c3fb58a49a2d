"""The tables of all experiments that declare one, and what a refresh changes."""

from collections import Counter
from collections.abc import Callable, Mapping

import msgspec

from croupier.apps.candidates.rows import Listed, read_rows
from croupier.core.arm_changes import ArmChangeError
from croupier.core.declarations import Declarations
from croupier.core.experiment import Experiment
from croupier.core.records import ArmSet
from croupier.core.refresh import (
    BY,
    Refresh,
    apply,
    compare,
    refusal,
    wanted_arms,
    wanted_groups,
)
from croupier.ports import Table, UnavailableError

Record = Callable[[str, Callable[[ArmSet, int], tuple[ArmSet, str]], str], ArmSet]
"""How a change of arms is recorded: experiment, change, by whom → the arms after it."""
_MOST_BAD = 100


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
        groups = wanted_groups(listed.rows, spec.groups, now)
        made = compare(arms, wanted, untouched, self._declarations.hands(spec.name), groups)
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
            reason=reason and reason + listed.first_bad,
            bad_rows=tuple(listed.bad[:_MOST_BAD]),
        )


def first_arms(spec: Experiment, table: Table, now: int) -> dict[str, str]:
    """The arms that a new experiment begins with, and their groups, in order of their names.

    UnavailableError where it has none.
    """
    listed = read_rows(table.rows(), spec)
    wanted = wanted_arms(listed.rows, spec.defaults, now)
    if not wanted:
        told = f"{listed.size} rows list no arm that is to be shown now{listed.first_bad}"
        raise UnavailableError(told)
    groups = wanted_groups(listed.rows, spec.groups, now)
    return {name: groups.get(name, "") for name in sorted(wanted)}
