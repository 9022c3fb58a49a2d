"""Arms that are shown no more because they broke a guardrail."""

from collections.abc import Collection, Container, Iterable, Mapping
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from croupier.core.arm_changes import pin_over
from croupier.core.guardrail import Guardrail, Worse
from croupier.core.records import Arm, ArmSet


class Barred(msgspec.Struct, frozen=True):
    """An arm (its number and name), the guardrail that it broke, `since` when, milliseconds.

    `value`, `low` and `high` are the difference from the default a trial, and its confidence
    sequence, as they were found then; `column` and `margin` say what was measured and allowed,
    `against` the numbers of the default's arms (empty where an older snapshot does not tell).
    """

    arm: int
    name: str
    guardrail: str
    since: int
    value: float
    low: float
    high: float
    column: str
    margin: float
    worse: Worse
    against: tuple[int, ...] = ()

    @property
    def reason(self) -> str:
        """In words.

        >>> Barred(2, "b", "refund", 0, 0.04, 0.021, 0.059, "refund:0", 0.01, "more").reason
        'guardrail refund: +0.04 a trial against the default (+0.021 to +0.059), more than 0.01 more'
        """  # noqa: E501
        return (
            f"guardrail {self.guardrail}: {self.value:+.4g} a trial against the default "
            f"({self.low:+.4g} to {self.high:+.4g}), more than {self.margin:g} {self.worse}"
        )


class Freed(NamedTuple):
    """An arm (its number) that was barred for a time, milliseconds, and is no more."""

    arm: int
    since: int
    until: int


def freed(before: Iterable[Barred], now: Collection[Barred], at: int) -> list[Freed]:
    """The bars that are over, or begin anew, with those of `now`, made at a time `at`.

    >>> one = Barred(2, "b", "refund", 5, 0.04, 0.021, 0.059, "refund:0", 0.01, "more")
    >>> freed([one], [one], 9), freed([one], [], 9)
    ([], [Freed(arm=2, since=5, until=9)])
    """
    return [Freed(each.arm, each.since, at) for each in before if each not in now]


def still(
    before: Iterable[Barred], declared: Mapping[str, Guardrail], default: tuple[int, ...]
) -> list[Barred]:
    """Those that stay barred: what was broken once is, while the guardrail is declared as it was.

    No trial of the arm comes any more, so that no later look could acquit it but by chance. But
    what was found against another `default` says nothing of this one.
    """
    return [
        one
        for one in before
        if (rule := declared.get(one.guardrail)) is not None
        and one.against in {(), default}
        and one.arm not in default
        and (one.column, one.margin, one.worse)
        == (rule.column(one.guardrail), rule.margin, rule.worse)
    ]


def in_play(arms: ArmSet, barred: Container[int]) -> list[Arm]:
    """The arms that are active, and whose numbers are not among those that broke a guardrail."""
    return [arm for arm in arms.arms if arm.status == "active" and arm.number not in barred]


def without(arms: ArmSet, barred: Collection[Barred], now: int) -> ArmSet:
    """The arms to publish: barred ones count as paused, but for one that is pinned at `now`.

    Where that would leave none to show, all stay: somebody has paused the default.
    """
    out = {each.arm for each in barred}
    if arms.pinned is not None and not pin_over(arms, now):
        out.discard(arms.pinned)
    if not out or not in_play(arms, out):
        return arms
    left = tuple(
        replace(arm, status="paused") if arm.status == "active" and arm.number in out else arm
        for arm in arms.arms
    )
    return arms if left == arms.arms else replace(arms, arms=left)


def kept_out(barred: Iterable[Barred], arms: ArmSet) -> list[Barred]:
    """Those that only their guardrail keeps out: who was removed, is out anyway.

    A removed arm stays among the barred ones, for it may be put again.
    """
    removed = {arm.number for arm in arms.arms if arm.status == "removed"}
    return [each for each in barred if each.arm not in removed]
