"""At most so many of a group in a slate: the rule, and what it is for some arms."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.intp]

LONGEST_GROUP = 200
_NONE = ""


class Diversity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`[experiment.diversity]`: at most so many of each group, or of some groups, in a slate.

    >>> rule = Diversity(at_most=2, of={"sport": 1})
    >>> rule.limit("sport"), rule.limit("news"), rule.limit("")
    (1, 2, None)
    """

    at_most: int | None = None
    of: dict[str, int] = {}

    def limit(self, group: str) -> int | None:
        """How many of a group one slate may show; None for any, and for arms without a group."""
        return None if group == _NONE else self.of.get(group, self.at_most)

    def problems(
        self, slots: int, defaults: Sequence[str], groups: Mapping[str, str]
    ) -> Iterator[tuple[str, str]]:
        """Everything that is wrong with the rule, as (key, reason)."""
        if self.at_most is None and not self.of:
            yield "diversity", "expected at_most, such as { at_most = 2 }"
        for key, most in (("at_most", self.at_most), *((f"of.{g}", n) for g, n in self.of.items())):
            if most is not None and most < 1:
                yield f"diversity.{key}", f"expected at least 1, got {most}"
        if slots == 1:
            yield "diversity", "a slate of one slot has no group to be limited"
        yield from (("default", reason) for reason in self.crowded(defaults, groups))

    def crowded(self, slate: Sequence[str], groups: Mapping[str, str]) -> Iterator[str]:
        """Which groups a slate shows too many of.

        >>> list(Diversity(at_most=1).crowded("ab", {"a": "sport", "b": "sport"}))
        ["shows 2 of group 'sport', at most 1 are allowed"]
        """
        for group, count in Counter(groups.get(name, _NONE) for name in slate).items():
            most = self.limit(group)
            if most is not None and count > most:
                yield f"shows {count} of group {group!r}, at most {most} are allowed"

    def idle(self, groups: Collection[str]) -> Iterator[tuple[str, str]]:
        """What of the rule limits nothing where arms have these groups alone, as (key, reason).

        >>> list(Diversity(of={"sprot": 1}).idle(["sport"]))
        [('diversity.of.sprot', "no arm of the file has this group, but 'sport'")]
        """
        if not groups:
            yield "diversity", 'no arm has a group: name some, such as groups = { x = "sport" }'
            return
        known = ", ".join(repr(group[:50]) for group in sorted(set(groups))[:12])
        for group in sorted(self.of.keys() - set(groups)):
            yield f"diversity.of.{group}", f"no arm of the file has this group, but {known}"


def group_problems(groups: Mapping[str, str], arms: Sequence[str] | None) -> Iterator[str]:
    """What is wrong with the groups that a declaration gives its arms (None: a table lists them).

    >>> list(group_problems({"x": "sport", "z": ""}, ["x", "y"]))
    ["'z' is not one of the arms", "'z': expected 1 to 200 printable characters"]
    """
    known = None if arms is None else set(arms)
    for name, group in groups.items():
        if known is not None and name not in known:
            yield f"{name[:200]!r} is not one of the arms"
        if not usable_group(group) or not group:
            yield f"{name[:200]!r}: expected 1 to {LONGEST_GROUP} printable characters"


def usable_group(text: str) -> bool:
    """Whether a text may name a group; "" is none."""
    return len(text) <= LONGEST_GROUP and text.isprintable()


class Groups(NamedTuple):
    """The groups of some arms: `of` each place its group, and of each group at most so `many`.

    All arms that no rule can limit are one group, of which there may be as many as there are.
    """

    of: Whole
    many: Whole

    @classmethod
    def under(cls, rule: Diversity, groups: Sequence[str]) -> Self:
        """The groups of arms, by place.

        >>> Groups.under(Diversity(at_most=1), ("sport", "", "sport", "news"))
        Groups(of=array([1, 0, 1, 0]), many=array([4, 1]))
        """
        number, many = {}, [len(groups)]
        for name, size in Counter(groups).items():
            most = rule.limit(name)
            if most is not None and most < size:
                number[name] = len(many)
                many.append(most)
        return cls(np.array([number.get(name, 0) for name in groups], np.intp), np.array(many))

    def among(self, places: Sequence[int], beside: int | None = None) -> "Groups":
        """The groups of the arms at these places, where one is shown `beside` them anyway."""
        many = self.many.copy()
        if beside is not None:
            many[self.of[beside]] -= 1
        return Groups(self.of[list(places)], many)

    @property
    def sizes(self) -> Whole:
        """How many arms each group has."""
        return np.bincount(self.of, minlength=len(self.many))

    def slots(self, asked: int) -> int:
        """How many of the slots can be filled; going down any ranking fills just as many.

        >>> Groups.under(Diversity(at_most=1), ("sport", "", "sport", "news")).slots(4)
        3
        """
        return min(asked, int(np.minimum(self.sizes, self.many).sum()))

    def turns(self, ranks: NDArray[np.integer]) -> Whole:
        """Which of its group each arm of a ranking is: 0 for the first; −1 is no arm.

        >>> Groups(np.array([1, 0, 1]), np.array([3, 1])).turns(np.array([[2, -1, 0, 1]]))
        array([[0, 0, 1, 0]])
        """
        group = np.where(ranks >= 0, self.of[ranks], len(self.many)).astype(np.uint16)
        order = np.argsort(group, axis=1, kind="stable")
        along = np.take_along_axis(group, order, axis=1)
        columns = np.arange(group.shape[1])
        begins = np.ones(along.shape, dtype=bool)
        begins[:, 1:] = along[:, 1:] != along[:, :-1]
        first = np.maximum.accumulate(np.where(begins, columns, 0), axis=1)
        turns = np.empty_like(order)
        np.put_along_axis(turns, order, columns - first, axis=1)
        return turns

    def within(self, ranks: NDArray[np.integer], spare: int = 0) -> NDArray[np.bool_]:
        """Which arms of a ranking are shown by one who goes down it and skips full groups.

        With `spare`, so many more of each group.
        """
        return np.asarray(self.turns(ranks) < self.many[self.of[ranks]] + spare) & (ranks >= 0)

    def misses(
        self, ranks: NDArray[np.integer], places: Sequence[int], left: "Groups", spare: int
    ) -> bool:
        """Whether rankings that keep `spare` more of each group may lack arms that are now shown.

        They do where they were cut in a group, and of those kept too few are at the places left.
        """
        here, of = np.isin(np.arange(len(self.of)), places)[ranks], self.of[ranks]
        for group in np.flatnonzero(self.sizes - left.sizes > spare):
            members, needed = of == group, min(left.many[group], left.sizes[group])
            cut = members.sum(axis=1) >= self.many[group] + spare
            if (cut & ((members & here).sum(axis=1) < needed)).any():
                return True
        return False
