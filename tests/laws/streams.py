"""Drawn logs: decisions and reports of all sorts, with declarations that change under them.

All times of one world are multiples of one scale, so that reports often fall exactly on an edge.
"""

from itertools import groupby
from typing import NamedTuple

import msgspec
from hypothesis import strategies as st
from msgspec.structs import replace

from croupier.clock import Clock
from croupier.core.declarations import Declarations
from croupier.core.experiment import Experiment
from croupier.core.guardrail import Guardrail
from croupier.core.records import Decision, Event, Reason
from croupier.core.reward import MICRO, Reward, Term
from croupier.core.session import session_at
from croupier.core.signals import Signal
from tests.laws.oracle import Stamped

START = 1_000_000
SCALES = (1, 7, 100, 1_000)
CLICK = Reward({"click": Term(1.0)})
SHOP = Reward({"click": Term(0.5, cap=3), "buy": Term(0.01, of="value", max=2.5)})
UNGUARDED: dict[str, Guardrail] | msgspec.UnsetType = msgspec.UNSET
GUARDED = {
    "scroll": Guardrail(Reward({"scroll": Term(1.0, cap=2)}), 0.1),
    "buy": Guardrail(
        Reward({"buy": Term(0.1, of="value", max=2.0), "click": Term(0.3)}), 0, "less"
    ),
}
REFUND = Reward({"click": Term(1.0, cap=2), "buy": Term(-1.5)})
FITTED = {
    "click": Signal(0.4, {"click": 0.01, "buy": -0.002}),
    "buy": Signal(0.1, {"click": -0.002, "buy": 0.04}),
}
ONE_FITTED = {"click": Signal(0.4, {"click": 0.01})}
UNITS = tuple(
    bytes([group]) + bytes(7) + phase.to_bytes(8, "big")
    for group, phase in ((0, 0), (1, 5), (65, 700), (200, 2**60 + 11))
)
"""Of three groups, and of four phases."""
LONG = 10_000


class HandClock(Clock):
    """A clock whose wall time is set by hand; like every clock it never runs backwards."""

    def __init__(self, wall: int = 0) -> None:
        super().__init__()
        self.wall = wall

    def now(self) -> int:
        self.reach(self.wall)
        return int(self._last)


class World(NamedTuple):
    """A log, in order of its stamps, and what was declared meanwhile."""

    book: Declarations
    log: list[Stamped]

    def appends(self) -> list[tuple[int, list[Event]]]:
        """Events of one stamp together, as one append would have them."""
        grouped = groupby(self.log, key=lambda one: one[0])
        return [(stamp, [event for _, event in group]) for stamp, group in grouped]

    @property
    def end(self) -> int:
        """A time at which every story of this log is over."""
        newest = max([START, *(stamp for stamp, _ in self.log)])
        return newest + 2 * self.book.longest_story() + 10_000


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Some decisions of two experiments, most of them seen, and what else was reported of them."""
    scale = draw(st.sampled_from(SCALES))
    book, changed = draw(_books(scale))
    log: list[Stamped] = []
    for place, drawn in enumerate(draw(st.lists(_DRAWN_DECISION, min_size=1, max_size=9))):
        *choice, seen, reports = drawn
        decision = _decision(book, changed, scale, place, *choice)
        sights = [("impression", -1, "", 0, seen, [0])] if seen is not None else []
        for report in [*sights, *reports]:
            log += _reports(decision, scale, report)
    return World(book, sorted(log, key=lambda one: one[0]))


_SOON = st.sampled_from((0, 0, 0, 1, 1, 2, 3, 5, 8, 12))
_DRAWN_REPORT = st.tuples(
    st.sampled_from(("click", "click", "buy", "impression", "scroll")),
    st.integers(-1, 1),
    st.sampled_from(("", "", "one", "two")),
    st.integers(0, 3),
    _SOON,
    st.lists(st.one_of(_SOON, _SOON, st.integers(0, 40), st.just(LONG)), min_size=1, max_size=3),
)
_DRAWN_DECISION = st.tuples(
    st.sampled_from(("b", "b", "b", "c")),
    st.integers(0, 25),
    st.sampled_from((*UNITS, UNITS[0])),
    st.sampled_from(((0,), (1,), (2, 0), (1, 2))),
    st.sampled_from(("policy", "policy", "policy", "holdout", "default")),
    st.booleans(),
    st.sampled_from((0, 0, 0, 1, 1, 2, 5, 11, None)),
    st.lists(_DRAWN_REPORT, max_size=4),
)


@st.composite
def _books(draw: st.DrawFn, scale: int) -> tuple[Declarations, int]:
    """Experiment `b`, declared twice, and `c`, whose decisions are each their own session."""
    book, changed = Declarations(), START + scale * draw(st.integers(0, 25))
    sessions = st.sampled_from((None, 1, 5, 10, 20, 30))
    first = _spec("b", scale, CLICK, draw(_LENGTHS), draw(sessions))
    second = _spec("b", scale, draw(_REWARDS), draw(_LENGTHS), draw(sessions), draw(_GUARDRAILS))
    other = _spec("c", scale, draw(_REWARDS), draw(_LENGTHS), None, draw(_GUARDRAILS))
    first, second = (replace(one, sticky=draw(_STICKY)) for one in (first, second))
    other = replace(other, holdout=draw(st.sampled_from((0.0, 0.5))))
    for spec, at in ((first, 0), (other, 0), (second, changed)):
        fitted = draw(st.sampled_from((msgspec.UNSET, ONE_FITTED, FITTED)))
        if spec.reward is not CLICK:
            spec = msgspec.structs.replace(spec, surrogate=fitted)  # noqa: PLW2901
        for record in book.changes(spec, at):
            book.apply(record)
    return book, changed


_LENGTHS = st.tuples(st.integers(1, 8), st.integers(1, 10), st.integers(0, 4))
_STICKY = st.sampled_from(("session", "unit"))
_REWARDS = st.sampled_from((CLICK, SHOP, REFUND))
_GUARDRAILS = st.sampled_from((UNGUARDED, GUARDED))


def _spec(
    name: str,
    scale: int,
    reward: Reward,
    lengths: tuple[int, int, int],
    session: int | None,
    guardrail: dict[str, Guardrail] | msgspec.UnsetType = UNGUARDED,
) -> Experiment:
    expose_within, window, lateness = lengths
    return Experiment(
        name=name,
        arms=("x", "y", "z"),
        default="x",
        reward=reward,
        expose_within=scale * expose_within,
        window=scale * window,
        lateness=scale * lateness,
        session=None if session is None else scale * session,
        period=scale * 10,
        guardrail=guardrail,
    )


def _decision(
    book: Declarations,
    changed: int,
    scale: int,
    place: int,
    experiment: str,
    step: int,
    unit: bytes,
    slate: tuple[int, ...],
    reason: Reason,
    pooled: bool,
) -> Decision:
    at = START + scale * step
    version = 1 if at < changed else book.latest(experiment).version
    declaration = book.find(experiment, version)
    assert declaration
    length = declaration.spec.session
    return Decision(
        tracking_id=at.to_bytes(6, "big") + place.to_bytes(9, "big"),
        experiment=experiment,
        unit=unit,
        session=0 if length is None else session_at(unit, at, length),
        declaration=version,
        snapshot=1,
        slate=slate,
        propensities=(0.25, 0.0625)[: len(slate)],
        inclusions=(0.5, 0.125) if pooled and len(slate) > 1 else (),
        reason=reason,
    )


def _reports(
    decision: Decision, scale: int, drawn: tuple[str, int, str, int, int, list[int]]
) -> list[Stamped]:
    """One report, appended once or more; event time lies between decision and receipt."""
    kind, slot, name, value, happened, delays = drawn
    if kind == "impression":
        slot, name, value = min(slot, len(decision.slate) - 1), "", 0
    else:
        slot = abs(slot) % len(decision.slate)
    at = decision.at + scale * happened
    event = Event(decision=decision, kind=kind, at=at, slot=slot, value=value * MICRO, id=name)
    return [(at + scale * delay, event) for delay in delays]
