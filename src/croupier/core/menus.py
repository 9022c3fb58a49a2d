"""The menus of one snapshot: the whole one, and what requests restrict it to."""

from collections.abc import Collection, Sequence

from croupier.core.arms.leaders import Leaders
from croupier.core.bag import Bag
from croupier.core.menu import Menu
from croupier.core.snapshot import Snapshot

MOST_MENUS, MOST_BAGS = 512, 64
_MOST_PLACES = 200_000
"""So many arms, counted once a menu, are kept at most: menus of many arms are few."""
_WARMED = 8
"""So many of the sets of arms that were last asked for have their menus when a snapshot comes."""

Asked = tuple[frozenset[str] | None, frozenset[str]]
"""What a request permits (None: all) and what it excludes, by name."""


class NoArmLeftError(ValueError):
    """The request left no arm to show, or named one that was never declared."""


class Menus:
    """Makes menus when they are asked for, and keeps them.

    What `before` was asked for, of the same arms, is made at once: by whoever brings the snapshot,
    and not while somebody waits for a decision.
    """

    def __init__(self, snapshot: Snapshot, before: "Menus | None" = None) -> None:
        self.whole = snapshot.menu()
        self.kept: dict[tuple[frozenset[int], int | None], Menu | Bag | None] = {}
        self.asked: dict[Asked, frozenset[int]] = {}
        self._snapshot = snapshot
        most = MOST_MENUS if snapshot.slots == 1 else MOST_BAGS
        self._most = max(2, min(most, _MOST_PLACES // len(snapshot.arms)))
        self._leaders: Sequence[Leaders] | None = None
        self._places = {name: place for place, name in enumerate(snapshot.names)}
        if before is not None and before.whole.arms == self.whole.arms:
            for places in [*before.asked.values()][-min(_WARMED, self._most) :]:
                self.among(places)

    def restricted(
        self, eligible: Collection[str] | None, exclude: Collection[str], known: Collection[str]
    ) -> Menu | Bag:
        """The menu of what a request permits; NoArmLeftError where that is nothing."""
        asked = None if eligible is None else frozenset(eligible), frozenset(exclude)
        return self.among(self.asked.get(asked) or self._allowed(asked, known))

    def beside(self, menu: Menu | Bag, name: str) -> Menu | Bag | None:
        """The same for what is left of the slate when one arm is in it; None where nothing may."""
        left = frozenset(self._places[other] for other in menu.names if other != name)
        slots = min(self._snapshot.slots - 1, len(left))
        return self._kept(left, slots, self._places[name]) if slots else None

    def among(self, places: frozenset[int]) -> Menu | Bag:
        """The menu of the arms at these places."""
        if len(places) == len(self.whole.arms):
            return self.whole
        menu = self._kept(places, self._snapshot.slots)
        assert menu is not None, "every rule lets something be shown"
        return menu

    def _kept(
        self, places: frozenset[int], slots: int, beside: int | None = None
    ) -> Menu | Bag | None:
        """A menu that was made before, or is now and then kept."""
        if (places, beside) in self.kept:
            return self.kept[places, beside]
        if self._leaders is None:
            self._leaders = self._snapshot.leaders()
        menu = self._snapshot.menu_among(sorted(places), slots, self._leaders, beside)
        if len(self.kept) >= self._most:
            self.kept.pop(next(iter(self.kept)))
        self.kept[places, beside] = menu
        return menu

    def _allowed(self, asked: Asked, known: Collection[str]) -> frozenset[int]:
        (eligible, exclude), name_of = asked, self._snapshot.experiment
        for key, names in (("eligible", eligible or ()), ("exclude", exclude)):
            for name in names:
                if name not in self._places and name not in known:
                    raise NoArmLeftError(f"{key}: {name[:100]!r} is not an arm of {name_of}")
        wanted = self._places.keys() if eligible is None else self._places.keys() & eligible
        places = frozenset(self._places[name] for name in wanted - exclude)
        if not places:
            raise NoArmLeftError(f"eligible and exclude leave no arm of {name_of} to show")
        if len(self.asked) >= MOST_MENUS:
            self.asked.pop(next(iter(self.asked)))
        self.asked[asked] = places
        return places
