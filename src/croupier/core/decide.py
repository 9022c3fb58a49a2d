"""Snapshot + unit → decision: a hashed draw with an exact propensity."""

from collections.abc import Collection
from hashlib import blake2b
from typing import NamedTuple

from croupier.core.bag import Bag
from croupier.core.menu import Drawn, Menu, arm_digests
from croupier.core.menus import Menus
from croupier.core.records import Decision, Declaration, Reason
from croupier.core.session import session_at
from croupier.core.snapshot import Snapshot

_SCALE = 2.0**-53


def hash_unit(key: bytes, unit: str) -> bytes:
    """The 16 bytes that stand for a unit outside of this process: a keyed hash.

    >>> hash_unit(bytes(32), "u-17").hex()
    '92bfdc4cbd9a2266bdfba8a1a65f4f23'
    """
    return blake2b(unit.encode(), key=key, digest_size=16).digest()


class Choice(NamedTuple):
    """A decision, with what its caller wants to know: the arms' names, the exact shares."""

    decision: Decision
    names: tuple[str, ...]
    shares: tuple[float, ...]

    @property
    def arm(self) -> str:
        """The first arm of the slate."""
        return self.names[0]

    @property
    def propensity(self) -> float:
        """The share of the first arm in the first slot."""
        return self.shares[0]


class Decider:
    """Decides for one experiment from one snapshot; nothing is written, nothing is random.

    Decisions are made under the newest declaration that the snapshot fits, also when it is older.
    What `before` was asked for is prepared.
    """

    def __init__(
        self, snapshot: Snapshot, declaration: Declaration, before: "Decider | None" = None
    ) -> None:
        self.snapshot, self.spec = snapshot, declaration.spec
        self._declaration, spec = declaration.version, declaration.spec
        self.menus: Menus = Menus(snapshot, before.menus if before else None)
        self.menu = self.menus.whole
        name = spec.name.encode()
        self._draw = blake2b(name, digest_size=8, person=b"croupier-draw")
        self._draw_slate = blake2b(name, digest_size=64, person=b"croupier-slate")
        self._hold = blake2b(name, digest_size=8, person=b"croupier-hold")
        self._session, self._sticky = spec.session, spec.sticky
        self._holdout = int(spec.holdout * 2**53)
        self._let_in = _let_in(snapshot)

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
        """The decision for a hashed unit at a time in milliseconds, and the names of its arms.

        `eligible` and `exclude` restrict the arms, with weights recomputed, or rankings filtered
        and recounted, for what is left; a slate is shorter where too few are left, or limits of
        groups leave too few. `known` names
        arms that exist but are not drawn. A unit in the holdout is shown the default; where the
        request or a pause forbids that, it is drawn for and counts for nothing (`default`), neither
        for the holdout nor for the policy. Raises NoArmLeftError.
        """
        session = 0 if self._session is None else session_at(unit, at, self._session)
        if self._let_in and self._pin_over(at):
            exclude = {*exclude, *self._let_in}
        menu = self.menu
        if eligible is not None or exclude:
            menu = self.menus.restricted(eligible, exclude, known)
        reason: Reason = "policy"
        if self._holdout > 0 and self._held_out(unit):
            reason = "default" if set(self.spec.defaults) - set(menu.names) else "holdout"
        elif self.snapshot.pinned is not None and self._pinned(menu, at):
            reason = "pinned"
        text = self.text(unit, session, tracking_id)
        if reason == "holdout":
            drawn = self._default(menu)
        elif reason == "pinned":
            drawn = self._beside_pinned(menu, text)
        else:
            drawn = self._drawn(menu, text)
        decision = Decision(
            tracking_id=tracking_id,
            experiment=self.spec.name,
            unit=unit,
            session=session,
            declaration=self._declaration,
            snapshot=self.snapshot.version,
            slate=drawn.slate,
            propensities=drawn.propensities,
            inclusions=drawn.inclusions,
            reason=reason,
            degraded=degraded,
        )
        return Choice(decision, drawn.names, drawn.shares)

    def text(self, unit: bytes, session: int, tracking_id: bytes) -> bytes:
        """What the draw is a hash of: the same text is always shown the same."""
        if self._sticky == "unit":
            return unit
        if self._sticky == "decision" or self._session is None:
            return tracking_id
        return unit + session.to_bytes(8, "big")

    def _drawn(self, menu: Menu | Bag, text: bytes) -> Drawn:
        if isinstance(menu, Bag):
            draw = self._draw_slate.copy()
            draw.update(text)
            return menu.draw(draw.digest())
        if self._sticky == "unit":
            return menu.rendezvous(arm_digests(self.spec.name, text, max(menu.arms)))
        return menu.draw(self.point(text))

    def point(self, text: bytes) -> float:
        """Where the draw for a text falls, in [0, 1): 53 hashed bits."""
        draw = self._draw.copy()
        draw.update(text)
        return (int.from_bytes(draw.digest(), "big") >> 11) * _SCALE

    def _default(self, menu: Menu | Bag) -> Drawn:
        names = self.spec.defaults
        arms, sure = tuple(menu.arms[menu.names.index(name)] for name in names), (1.0,) * len(names)
        return Drawn(arms, names, sure, sure, sure if self.spec.pools else ())

    def _pinned(self, menu: Menu | Bag, at: int) -> bool:
        """Whether an arm is pinned now, and the request permits it."""
        return self.snapshot.pinned in menu.arms and not self._pin_over(at)

    def _pin_over(self, at: int) -> bool:
        return 0 < self.snapshot.pinned_until <= at

    def _beside_pinned(self, menu: Menu | Bag, text: bytes) -> Drawn:
        """The pinned arm in the first slot, the others drawn without it."""
        place = menu.arms.index(self.snapshot.pinned)
        arm, name = (menu.arms[place],), (menu.names[place],)
        left = self.menus.beside(menu, name[0])
        if left is None:
            return Drawn(arm, name, (1.0,), (1.0,), (1.0,) if self.spec.pools else ())
        rest = self._drawn(left, text)
        return Drawn(
            arm + rest.slate,
            name + rest.names,
            (1.0, *rest.shares),
            (1.0, *rest.propensities),
            (1.0, *rest.inclusions) if rest.inclusions else (),
        )

    def _held_out(self, unit: bytes) -> bool:
        hold = self._hold.copy()
        hold.update(unit)
        return int.from_bytes(hold.digest(), "big") >> 11 < self._holdout


def _let_in(snapshot: Snapshot) -> tuple[str, ...]:
    """The arm, if any, that broke a guardrail and is there only for as long as it is pinned."""
    barred = {each.arm for each in snapshot.barred}
    if snapshot.pinned not in barred or len(snapshot.arms) == 1:
        return ()
    shown = zip(snapshot.arms, snapshot.names, strict=True)
    return tuple(name for arm, name in shown if arm == snapshot.pinned)
