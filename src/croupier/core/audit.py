"""Who changed what, when, from what to what: the history on the `arms` topic."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from croupier.core.records import ArmSet, Declaration, Refill

Fields = dict[str, Any]


class Change(msgspec.Struct, frozen=True):
    """One change; `before` and `after` hold only what differs, and null is "was not there".

    `what` is arms, declaration or refill; `note` is what the caller called himself, beside the
    name of the API key that he used.
    """

    at: int
    experiment: str
    what: str
    version: int
    by: str
    note: str
    change: str
    before: Fields
    after: Fields


def audit(records: Iterable[Declaration | ArmSet | Refill]) -> Iterator[Change]:
    """The changes of a history, oldest first; give all of it, for each is told by the one before.

    >>> from croupier.core.records import Arm
    >>> one = ArmSet(experiment="b", version=1, at=5, arms=(Arm(0, "x"),))
    >>> two = ArmSet(experiment="b", version=2, at=9, arms=(Arm(0, "x", "paused"),), by="ops")
    >>> [(each.by, each.before, each.after) for each in audit([one, two])][1]
    ('ops', {'arms': {'x': 'active'}}, {'arms': {'x': 'paused'}})
    """
    known: dict[tuple[str, str], Fields] = {}
    newest: dict[str, int] = {}
    for record in records:
        experiment, what, version, fields = _read(record)
        if isinstance(record, ArmSet):
            if version <= newest.get(experiment, 0):
                continue  # another server was first with this version: it never held
            newest[experiment] = version
        old = known.get((experiment, what), {})
        known[experiment, what] = fields
        before, after = _differences(old, fields)
        yield Change(
            at=record.at,
            experiment=experiment,
            what=what,
            version=version,
            by=getattr(record, "by", "config" if what == "declaration" else "replay"),
            note=getattr(record, "note", ""),
            change=getattr(record, "change", "") or what,
            before=before,
            after=after,
        )


def _read(record: Declaration | ArmSet | Refill) -> tuple[str, str, int, Fields]:
    if isinstance(record, ArmSet):
        pinned = None if record.pinned is None else record.arms[record.pinned].name
        fields: Fields = {
            "arms": {arm.name: arm.status for arm in record.arms},
            "groups": {arm.name: arm.group for arm in record.arms if arm.group},
            "pinned": pinned,
            "pinned_until": record.pinned_until or None,
        }
        return record.experiment, "arms", record.version, fields
    if isinstance(record, Refill):
        refilled = {f"reward version {record.reward_version}": record.watermark}
        return record.experiment, "refill", record.reward_version, refilled
    fields = msgspec.to_builtins(record.spec) | {"reward_version": record.reward_version}
    return record.spec.name, "declaration", record.version, fields


def _differences(old: Fields, new: Fields) -> tuple[Fields, Fields]:
    before: Fields = {}
    after: Fields = {}
    for key in [*old, *(key for key in new if key not in old)]:
        was, now = old.get(key), new.get(key)
        if was == now:
            continue
        if key in ("arms", "groups") and isinstance(now, dict):
            was = was or {}
            changed = [name for name in {**was, **now} if was.get(name) != now.get(name)]
            was = {name: was.get(name) for name in changed}
            now = {name: now.get(name) for name in changed}
        before[key], after[key] = was, now
    return before, after
