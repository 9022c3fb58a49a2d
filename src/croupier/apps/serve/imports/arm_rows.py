"""Master data of arms imported: put, paused or removed together."""

from contextlib import suppress
from typing import get_args

import msgspec

from croupier.apps.serve.imports.rewards import RejectedRow
from croupier.apps.serve.service import Service
from croupier.core.arm_changes import ArmChangeError, become, put, regroup
from croupier.core.past import RowError
from croupier.core.records import ArmSet, Status

NO_GROUP = "-"
"""What takes an arm out of its group; an empty cell leaves it where it is."""


class ArmRow(msgspec.Struct, forbid_unknown_fields=True):
    """One row of master data: an arm, what it should be, and of which group ("-": of none)."""

    arm: str
    status: Status = "active"
    group: str | None = None
    experiment: str | None = None


class ChangedArm(msgspec.Struct, omit_defaults=True):
    """An arm that an import adds (it was null) or changes; `group` only where that is changed."""

    arm: str
    before: str | None
    after: str
    group: str | None = None


class ArmsAnswer(msgspec.Struct):
    """What became of an import of arms; those that no row names stay as they are."""

    dry_run: bool
    accepted: int
    duplicate: int
    rejected: list[RejectedRow]
    version: int
    arms: list[ChangedArm]


def import_arms(
    service: Service,
    name: str,
    rows: list[ArmRow | RowError],
    who: tuple[str, str],
    *,
    dry_run: bool,
) -> ArmsAnswer:
    """Give arms the status and group that rows say, all in one change, or say what that would do.

    `who` does it: the name of the API key, and what the caller called himself beside it.
    """
    before = service.declarations.arms(name)
    defaults = service.experiments[name].defaults
    _, rejected = _apply(before, rows, defaults, name)
    if dry_run:
        after, _ = _apply(before, rows, defaults, name)
    else:

        def change(arms: ArmSet, _: int) -> tuple[ArmSet, str]:
            nonlocal before, rejected
            before = arms
            changed, rejected = _apply(arms, rows, defaults, name)
            return changed, _in_words(_changes(before, changed))

        after = service.runner.record(name, change, *who)
    changes = _changes(before, after)
    return ArmsAnswer(
        dry_run=dry_run,
        accepted=len(changes),
        duplicate=len(rows) - len(rejected) - len(changes),
        rejected=rejected,
        version=after.version,
        arms=changes,
    )


def _apply(
    arms: ArmSet, rows: list[ArmRow | RowError], defaults: tuple[str, ...], name: str
) -> tuple[ArmSet, list[RejectedRow]]:
    """The set after all rows that can be had: first what is active, so that something is left."""
    rejected: list[RejectedRow] = []
    said: dict[str, tuple[int, ArmRow]] = {}
    for number, row in enumerate(rows, 1):
        if isinstance(row, RowError):
            rejected.append(RejectedRow(number, row.column, str(row)))
        elif row.experiment not in {None, name}:
            rejected.append(RejectedRow(number, "experiment", f"this is the door of {name}"))
        elif row.arm in said and (column := _contradicted(said[row.arm][1], row)):
            first = said[row.arm][0]
            rejected.append(RejectedRow(number, column, f"row {first} says otherwise"))
        else:
            said.setdefault(row.arm, (number, row))
    order = get_args(Status)
    with suppress(ArmChangeError):  # in one piece; where a name cannot be, row by row below
        arms = put(arms, [row.arm for _, row in said.values() if row.status == "active"])
    for number, row in sorted(said.values(), key=lambda each: order.index(each[1].status)):
        try:
            arms = become(arms, row.arm, row.status, defaults)
            if row.group is not None:
                arms = regroup(arms, {row.arm: "" if row.group == NO_GROUP else row.group})
        except ArmChangeError as error:
            rejected.append(RejectedRow(number, "arm", str(error)))
    return arms, sorted(rejected, key=lambda each: each.row)


def _contradicted(first: ArmRow, row: ArmRow) -> str:
    """The column in which two rows of one arm differ, or nothing."""
    if first.status != row.status:
        return "status"
    return "group" if first.group != row.group else ""


def _changes(before: ArmSet, after: ArmSet) -> list[ChangedArm]:
    was = {arm.name: arm for arm in before.arms}
    found = []
    for arm in after.arms:
        old = was.get(arm.name)
        group = arm.group if arm.group != (old.group if old else "") else None
        if old is None or old.status != arm.status or group is not None:
            found.append(ChangedArm(arm.name, old.status if old else None, arm.status, group))
    return found


def _in_words(changes: list[ChangedArm]) -> str:
    known = [each for each in changes if each.before is not None]
    parts = [
        f"{count} {word}"
        for word, count in (
            ("added", sum(each.before is None for each in changes)),
            *(
                (status, sum(each.before != status == each.after for each in known))
                for status in get_args(Status)
            ),
            ("put into groups", sum(each.group is not None for each in changes)),
        )
        if count
    ]
    return "import: " + ", ".join(parts)
