"""Changes of arms while the ring turns: checked, durable, told to learning."""

from collections.abc import Collection
from typing import Annotated, Literal

import msgspec

from croupier.apps.serve.service import Service
from croupier.core import arm_changes, codec
from croupier.core.arm_changes import ArmChangeError
from croupier.core.duration import parse_duration
from croupier.core.records import Arm, ArmSet
from croupier.ports import ARMS, entries_between


class ArmChange(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a change: `until` ("2h", or milliseconds since 1970) goes with a pin.

    `group`, which goes with a put, is that of the arm from then on; "" takes it out of its group.
    """

    change: Literal["put", "pause", "resume", "remove", "pin", "unpin"]
    arm: str = ""
    until: str | int | None = None
    group: str | None = None
    by: Annotated[str, msgspec.Meta(max_length=100)] = ""


class ArmsPage(msgspec.Struct):
    """One version of an experiment's arms: what was changed, when, by whom, and what it left.

    `by` is the name of the API key where one was used; what its user called himself is `note`.
    """

    experiment: str
    version: int
    at: int
    by: str
    note: str
    change: str
    pinned: str | None
    pinned_until: int | None
    arms: list[Arm]


def change_arms(service: Service, name: str, wanted: ArmChange, key: str | None = None) -> ArmsPage:
    """Make one change; it is durable and on its way into the next snapshot when this returns.

    `key` is the name of the API key that was used: whoever has one cannot call himself another.

    Raises ArmChangeError when it cannot be made, UnavailableError when the log is away.
    """
    defaults = service.experiments[name].defaults
    words = f"{wanted.change} {wanted.arm}".strip()
    if wanted.group is not None:
        words += f" of group {wanted.group!r}"
    return _page(
        service.runner.record(
            name,
            lambda arms, now: (_apply(arms, wanted, defaults, now), words),
            by=key or wanted.by or "api",
            note=wanted.by if key else "",
        )
    )


def history(service: Service, name: str) -> list[ArmsPage]:
    """Every version of an experiment's arms, oldest first; of one made twice, the first."""
    found: dict[int, ArmsPage] = {}
    for entries in entries_between(service.log, ARMS, {}, service.log.ends(ARMS)):
        for record in codec.decode_all(entry.payload for entry in entries):
            if isinstance(record, ArmSet) and record.experiment == name:
                found.setdefault(record.version, _page(record))
    return list(found.values())


def _apply(arms: ArmSet, wanted: ArmChange, defaults: Collection[str], now: int) -> ArmSet:
    if wanted.until is not None and wanted.change != "pin":
        raise ArmChangeError("until goes with pin")
    if wanted.group is not None and wanted.change != "put":
        raise ArmChangeError("group goes with put")
    if wanted.change == "unpin":
        return arm_changes.unpin(arms)
    if wanted.change == "put":
        groups = {} if wanted.group is None else {wanted.arm: wanted.group}
        return arm_changes.regroup(arm_changes.put(arms, [wanted.arm]), groups)
    if wanted.change == "pause":
        return arm_changes.pause(arms, wanted.arm)
    if wanted.change == "resume":
        return arm_changes.resume(arms, wanted.arm)
    if wanted.change == "remove":
        return arm_changes.remove(arms, wanted.arm, defaults)
    return arm_changes.pin(arms, wanted.arm, _until(wanted.until, now))


def _until(until: str | int | None, now: int) -> int:
    if until is None:
        return 0
    try:
        end = now + parse_duration(until) if isinstance(until, str) else until
    except ValueError as error:
        raise ArmChangeError(f"until: {error}") from None
    if not now < end < now + 2**40:
        raise ArmChangeError("until: expected a time to come, within 34 years")
    return end


def _page(arms: ArmSet) -> ArmsPage:
    return ArmsPage(
        experiment=arms.experiment,
        version=arms.version,
        at=arms.at,
        by=arms.by,
        note=arms.note,
        change=arms.change,
        pinned=None if arms.pinned is None else arms.arms[arms.pinned].name,
        pinned_until=arms.pinned_until or None,
        arms=list(arms.arms),
    )
