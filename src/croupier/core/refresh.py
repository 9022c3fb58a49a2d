"""A table of candidates → the arms that are wanted → what that changes; pure."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

import msgspec

from croupier.core import arm_changes
from croupier.core.arm_changes import ArmChangeError
from croupier.core.records import ArmSet

BY = "candidates"
OURS = (BY, "config")
"""Whose word on an arm a refresh may take back; what anybody else did to an arm stays."""

Outcome = Literal["changed", "same", "refused", "unreadable"]


class Row(NamedTuple):
    """One row that could be read; times in milliseconds, None is unbounded.

    `group` is None where the table does not say groups.
    """

    arm: str
    active: bool = True
    valid_from: int | None = None
    valid_until: int | None = None
    group: str | None = None

    def holds(self, now: int) -> bool:
        """Whether it wants its arm to be shown at `now`."""
        begun = self.valid_from is None or self.valid_from <= now
        return self.active and begun and (self.valid_until is None or now < self.valid_until)


class BadRow(msgspec.Struct, frozen=True):
    """A row that could not be read: its number (1 is the first after the head), column, reason.

    Its `arm`, where it names one, stays as it is.
    """

    row: int
    column: str
    reason: str
    arm: str = ""


class Change(msgspec.Struct, frozen=True):
    """What a refresh changes, by name; `held` are arms that it leaves to whoever changed them.

    `regrouped` are the groups of those whose group it changes.
    """

    put: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    regrouped: dict[str, str] = {}

    def words(self) -> str:
        """The change as the history of the arms tells it.

        >>> Change(("x",), ("y", "z")).words()
        'put x; dropped y, z'
        """
        parts = {"put": self.put, "dropped": self.dropped, "regrouped": self.regrouped}
        return "; ".join(f"{what} {', '.join(names)}" for what, names in parts.items() if names)


class Refresh(msgspec.Struct, frozen=True):
    """What came of one refresh.

    `version` is that of the arms that it left, `reason` why it was refused or unreadable, and
    `rows` how many the table has for the experiment.
    """

    experiment: str
    outcome: Outcome
    version: int
    dry_run: bool = False
    rows: int = 0
    change: Change = Change()
    reason: str = ""
    bad_rows: tuple[BadRow, ...] = ()


def wanted_arms(rows: Iterable[Row], defaults: Collection[str], now: int) -> frozenset[str]:
    """The arms that some row wants to be shown; the defaults always are, if there is any.

    >>> sorted(wanted_arms([Row("x"), Row("y", active=False)], ["plain"], now=0))
    ['plain', 'x']
    """
    listed = {row.arm for row in rows if row.holds(now)}
    return frozenset(listed | set(defaults) if listed else ())


def wanted_groups(rows: Iterable[Row], declared: Mapping[str, str], now: int) -> dict[str, str]:
    """The groups of the arms that are to be shown: as declared, else as their rows say.

    Where rows differ, the last in the alphabet.

    >>> wanted_groups([Row("x", group="sport"), Row("y", group="news"), Row("z")], {"y": "tv"}, 0)
    {'x': 'sport', 'y': 'tv'}
    """
    said: dict[str, str] = {}
    for row in rows:
        if row.holds(now) and row.group is not None:
            said[row.arm] = max(row.group, said.get(row.arm, ""))
    return {**said, **declared}


def compare(
    arms: ArmSet,
    wanted: Collection[str],
    untouched: Collection[str],
    hands: Mapping[int, str],
    groups: Mapping[str, str] = MappingProxyType({}),
) -> Change:
    """What must change for exactly the wanted arms to be active, and of these groups.

    `hands` say who changed an arm's status last, by its number: what somebody did by hand stays.
    `untouched` arms stay, too, whatever is wanted.

    >>> from croupier.core.records import Arm
    >>> now = (Arm(0, "x"), Arm(1, "y"), Arm(2, "z", "paused"))
    >>> before = ArmSet(experiment="b", version=1, at=0, arms=now)
    >>> compare(before, {"x", "z", "new"}, (), {2: "ana"})
    Change(put=('new',), dropped=('y',), held=('z',), regrouped={})
    """
    known = {arm.name: arm for arm in arms.arms}
    differing = {arm.name for arm in arms.arms if (arm.status == "active") != (arm.name in wanted)}
    differing = (differing | (set(wanted) - known.keys())) - set(untouched)
    held = {
        name
        for name in differing
        if name in known and hands.get(known[name].number, OURS[0]) not in OURS
    }
    ours = differing - held
    return Change(
        put=tuple(sorted(ours & set(wanted))),
        dropped=tuple(sorted(ours - set(wanted))),
        held=tuple(sorted(held)),
        regrouped={
            name: group
            for name, group in sorted(groups.items())
            if name in known.keys() | ours and group != (known[name].group if name in known else "")
        },
    )


def refusal(arms: ArmSet, wanted: Collection[str], change: Change, most: float) -> str | None:
    """Why a change is too much to believe, or None: an empty or broken table must empty no page.

    >>> from croupier.core.records import Arm
    >>> now = ArmSet(experiment="b", version=1, at=0, arms=(Arm(0, "x"), Arm(1, "y"), Arm(2, "z")))
    >>> refusal(now, {"x"}, Change(dropped=("y", "z")), most=0.5)
    'it would take away 2 of 3 arms, 67%; at most 50% is believed'
    """
    if not wanted:
        return "the table lists no arm that is to be shown now"
    active = sum(arm.status == "active" for arm in arms.arms)
    lost = len(change.dropped)
    if lost > most * active:
        return (
            f"it would take away {lost} of {active} arms, {lost / active:.0%}; "
            f"at most {most:.0%} is believed"
        )
    return None


def apply(arms: ArmSet, change: Change, *, keep: bool) -> ArmSet:
    """The arms after a change; ArmChangeError where it cannot be made."""
    put = arm_changes.put(arms, change.put)
    after = arm_changes.set_status(put, "paused" if keep else "removed", change.dropped)
    after = arm_changes.regroup(after, change.regrouped)
    if not any(arm.status == "active" for arm in after.arms):
        raise ArmChangeError("no arm would be left: something must be shown")
    return after
