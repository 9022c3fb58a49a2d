"""What may be done to arms at run time: put, pause, resume, remove, pin."""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from croupier.core.diversity import LONGEST_GROUP, usable_group
from croupier.core.experiment import LONGEST_ARM, MOST_ARMS
from croupier.core.records import Arm, ArmSet, Status


class ArmChangeError(ValueError):
    """Why a change of arms is refused; the text can be shown to whoever asked for it."""


def put(arms: ArmSet, names: Iterable[str]) -> ArmSet:
    """Make these arms active: new names get new numbers, known ones keep theirs and their past.

    >>> one = ArmSet(experiment="b", version=1, at=0, arms=(Arm(0, "x", "removed"),))
    >>> [(arm.number, arm.name, arm.status) for arm in put(one, ["y", "x"]).arms]
    [(0, 'x', 'active'), (1, 'y', 'active')]
    """
    wanted = dict.fromkeys(names)
    known = {arm.name for arm in arms.arms}
    fresh = [name for name in wanted if name not in known]
    for name in fresh:
        if not 0 < len(name) <= LONGEST_ARM or not name.isprintable():
            raise ArmChangeError(f"an arm's name has 1 to {LONGEST_ARM} printable characters")
    if len(arms.arms) + len(fresh) > MOST_ARMS:
        raise ArmChangeError(f"at most {MOST_ARMS} arms may ever be declared")
    added = tuple(Arm(len(arms.arms) + place, name) for place, name in enumerate(fresh))
    returned = set_status(arms, "active", [name for name in wanted if name in known])
    return msgspec.structs.replace(returned, arms=returned.arms + added)


def set_status(arms: ArmSet, status: Status, names: Collection[str]) -> ArmSet:
    """Give these arms a status; ArmChangeError for a name that was never an arm."""
    wanted = set(names)
    for name in wanted - {arm.name for arm in arms.arms}:
        find(arms, name)
    changed = tuple(
        msgspec.structs.replace(arm, status=status) if arm.name in wanted else arm
        for arm in arms.arms
    )
    lost = arms.pinned is not None and changed[arms.pinned].status != "active"
    return msgspec.structs.replace(
        arms,
        arms=changed,
        pinned=None if lost else arms.pinned,
        pinned_until=0 if lost else arms.pinned_until,
    )


def regroup(arms: ArmSet, groups: Mapping[str, str]) -> ArmSet:
    """Put arms, by name, into groups ("" for none); refused for a name that was never an arm.

    >>> one = ArmSet(experiment="b", version=1, at=0, arms=(Arm(0, "x"),))
    >>> regroup(one, {"x": "sport"}).arms[0].group
    'sport'
    """
    for name, group in groups.items():
        find(arms, name)
        if not usable_group(group):
            raise ArmChangeError(f"a group's name has up to {LONGEST_GROUP} printable characters")
    regrouped = tuple(
        msgspec.structs.replace(arm, group=groups.get(arm.name, arm.group)) for arm in arms.arms
    )
    return msgspec.structs.replace(arms, arms=regrouped)


def pause(arms: ArmSet, name: str) -> ArmSet:
    """Stop drawing an arm for now; refused for a removed arm, and for the last active one."""
    if find(arms, name).status == "removed":
        raise ArmChangeError(f"{name!r} was removed: put it first")
    paused = set_status(arms, "paused", [name])
    if not any(arm.status == "active" for arm in paused.arms):
        raise ArmChangeError(f"{name!r} is the last active arm: something must be shown")
    return paused


def resume(arms: ArmSet, name: str) -> ArmSet:
    """Draw a paused arm again, with its past; refused for a removed arm."""
    if find(arms, name).status == "removed":
        raise ArmChangeError(f"{name!r} was removed: put it first")
    return set_status(arms, "active", [name])


def remove(arms: ArmSet, name: str, defaults: Collection[str]) -> ArmSet:
    """Stop drawing an arm for good; refused for a default and for the last active one."""
    if name in defaults:
        raise ArmChangeError(f"{name!r} is the default: declare another one first")
    removed = set_status(arms, "removed", [name])
    if not any(arm.status == "active" for arm in removed.arms):
        raise ArmChangeError(f"{name!r} is the last active arm: something must be shown")
    return removed


def become(arms: ArmSet, name: str, status: Status, defaults: Collection[str]) -> ArmSet:
    """Give an arm the status that master data says, adding it where it is new.

    >>> one = ArmSet(experiment="b", version=1, at=0, arms=(Arm(0, "x"),))
    >>> [(arm.name, arm.status) for arm in become(one, "y", "paused", ["x"]).arms]
    [('x', 'active'), ('y', 'paused')]
    """
    if status == "removed":
        gone = find(arms, name).status == "removed"
        return arms if gone else remove(arms, name, defaults)
    known = {arm.name: arm.status for arm in arms.arms}
    if known.get(name) == status:
        return arms
    there = arms if known.get(name, "removed") != "removed" else put(arms, [name])
    return pause(there, name) if status == "paused" else put(there, [name])


def pin(arms: ArmSet, name: str, until: int) -> ArmSet:
    """Show one active arm to everybody until a time in milliseconds (0: until unpinned)."""
    arm = find(arms, name)
    if arm.status != "active":
        raise ArmChangeError(f"{name!r} is {arm.status}: resume or put it first")
    return msgspec.structs.replace(arms, pinned=arm.number, pinned_until=until)


def pin_over(arms: ArmSet, now: int) -> bool:
    """Whether an arm was pinned for a limited time that is over at `now`, milliseconds."""
    return arms.pinned is not None and 0 < arms.pinned_until <= now


def unpin(arms: ArmSet) -> ArmSet:
    """Draw again."""
    return msgspec.structs.replace(arms, pinned=None, pinned_until=0)


def find(arms: ArmSet, name: str) -> Arm:
    """The arm of this name; ArmChangeError when there never was one."""
    for arm in arms.arms:
        if arm.name == name:
            return arm
    raise ArmChangeError(f"{name[:100]!r} is not an arm of {arms.experiment}")
