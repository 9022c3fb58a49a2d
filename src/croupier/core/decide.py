"""Snapshot + unit → decision: a hashed draw with an exact propensity."""

from collections.abc import Collection
from hashlib import blake2b
from struct import pack
from typing import NamedTuple

from croupier.core.menu import Menu
from croupier.core.records import Decision, Declaration
from croupier.core.session import session_at
from croupier.core.snapshot import Snapshot

_SCALE = 2.0**-53
_MOST_MENUS = 512


class NoArmLeftError(ValueError):
    """The request left no arm to show, or named one that was never declared."""


def hash_unit(key: bytes, unit: str) -> bytes:
    """The 16 bytes that stand for a unit outside of this process: a keyed hash.

    >>> hash_unit(bytes(32), "u-17").hex()
    '92bfdc4cbd9a2266bdfba8a1a65f4f23'
    """
    return blake2b(unit.encode(), key=key, digest_size=16).digest()


class Choice(NamedTuple):
    """A decision, with what its caller wants to know of it: the arm's name, the exact share."""

    decision: Decision
    arm: str
    propensity: float


class Decider:
    """Decides for one experiment from one snapshot; nothing is written, nothing is random.

    Decisions are made under the newest declaration, also when the snapshot is older than it.
    """

    def __init__(self, snapshot: Snapshot, declaration: Declaration) -> None:
        self.snapshot, self.spec = snapshot, declaration.spec
        self._declaration, spec = declaration.version, declaration.spec
        self.menu = Menu(snapshot.arms, snapshot.names, snapshot.weights)
        self._places = {name: place for place, name in enumerate(snapshot.names)}
        self._menus: dict[frozenset[int], Menu] = {}
        self._draw = blake2b(spec.name.encode(), digest_size=8, person=b"croupier-draw")
        self._hold = blake2b(spec.name.encode(), digest_size=8, person=b"croupier-hold")
        self._session, self._sticky = spec.session, spec.sticky
        self._holdout = int(spec.holdout * 2**53)

    def decide(  # noqa: PLR0913 - the request's own words
        self,
        unit: bytes,
        at: int,
        tracking_id: bytes,
        eligible: Collection[str] | None = None,
        exclude: Collection[str] = (),
        known: Collection[str] = (),
        *,
        degraded: bool = False,
    ) -> Choice:
        """The decision for a hashed unit at a time in milliseconds, and the name of its arm.

        `eligible` and `exclude` restrict the arms, with weights recomputed for what is left.
        `known` names arms that exist but are not drawn. A unit in the holdout is shown the
        default, or, where the request forbids that, a draw that does not train either. Raises
        NoArmLeftError.
        """
        session = 0 if self._session is None else session_at(unit, at, self._session)
        menu = self.menu
        if eligible is not None or exclude:
            menu = self._menu(eligible, exclude, known)
        held_out = self._holdout > 0 and self._held_out(unit)
        pinned = self._pinned_place(menu, at)
        if pinned is not None and not held_out:
            place, weight, propensities = pinned, 1.0, (1.0,)
        elif held_out and self.spec.default in menu.names:
            place, weight, propensities = menu.names.index(self.spec.default), 1.0, (1.0,)
        else:
            place = self._place(menu, unit, session, tracking_id)
            weight, propensities = menu.weights[place], menu.propensities[place]
        decision = Decision(
            tracking_id=tracking_id,
            experiment=self.spec.name,
            unit=unit,
            session=session,
            declaration=self._declaration,
            snapshot=self.snapshot.version,
            slate=menu.slates[place],
            propensities=propensities,
            reason="holdout" if held_out else "policy" if pinned is None else "pinned",
            degraded=degraded,
        )
        return Choice(decision, menu.names[place], weight)

    def _pinned_place(self, menu: Menu, at: int) -> int | None:
        """Where the pinned arm stands, while it is pinned and the request permits it."""
        pinned, until = self.snapshot.pinned, self.snapshot.pinned_until
        if pinned is None or (until and at >= until) or pinned not in menu.arms:
            return None
        return menu.arms.index(pinned)

    def _place(self, menu: Menu, unit: bytes, session: int, tracking_id: bytes) -> int:
        if self._sticky == "unit":
            return menu.rendezvous(self._arm_digests(unit, max(menu.arms)))
        draw = self._draw.copy()
        if self._sticky == "decision" or self._session is None:
            draw.update(tracking_id)
        else:
            draw.update(unit + session.to_bytes(8, "big"))
        return menu.draw((int.from_bytes(draw.digest(), "big") >> 11) * _SCALE)

    def _arm_digests(self, unit: bytes, last: int) -> list[int]:
        digests: list[int] = []
        for block in range(last // 8 + 1):
            text = self.spec.name.encode() + unit + pack(">I", block)
            digest = blake2b(text, digest_size=64, person=b"croupier-unit").digest()
            digests += (
                int.from_bytes(digest[start : start + 8], "big") >> 11 for start in range(0, 64, 8)
            )
        return digests

    def _held_out(self, unit: bytes) -> bool:
        hold = self._hold.copy()
        hold.update(unit)
        return int.from_bytes(hold.digest(), "big") >> 11 < self._holdout

    def _menu(
        self, eligible: Collection[str] | None, exclude: Collection[str], known: Collection[str]
    ) -> Menu:
        for key, names in (("eligible", eligible or ()), ("exclude", exclude)):
            for name in names:
                if name not in self._places and name not in known:
                    raise NoArmLeftError(f"{key}: {name[:100]!r} is not an arm of {self.spec.name}")
        wanted = self._places.keys() if eligible is None else self._places.keys() & set(eligible)
        places = frozenset(self._places[name] for name in wanted - set(exclude))
        if not places:
            raise NoArmLeftError(f"eligible and exclude leave no arm of {self.spec.name} to show")
        menu = self._menus.get(places)
        if menu is None:
            menu = self._restricted(places)
        return menu

    def _restricted(self, places: frozenset[int]) -> Menu:
        if len(places) == len(self.menu.arms):
            return self.menu
        order, snapshot = sorted(places), self.snapshot
        menu = Menu(
            [snapshot.arms[place] for place in order],
            [snapshot.names[place] for place in order],
            snapshot.weights_among(order),
        )
        if len(self._menus) >= _MOST_MENUS:
            self._menus.pop(next(iter(self._menus)))
        self._menus[places] = menu
        return menu
