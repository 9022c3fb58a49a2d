"""The log as tables: events, funnels, observations, imports, arms."""

from collections.abc import Iterator, Sequence

import msgspec

from croupier.core.columns import Column
from croupier.core.declarations import Declarations
from croupier.core.records import ArmSet, Decision, Event, Funnel, Imported, Observation
from croupier.core.reward import MICRO
from croupier.runners.export.days import Sheet
from croupier.runners.export.states import SUMS, sums_row

_ENTRIES = 64
_STAMP = Column("stamp", "time", "when the log took it; the day of the file")
_EXPERIMENT = Column("experiment", "text", "experiment")
_ARM = (
    Column("arm", "text", "name of the arm"),
    Column("arm_number", "whole", "its number, for ever"),
)
_DECISION = (
    _EXPERIMENT,
    Column("tracking_id", "text", "the decision, hexadecimal"),
    Column("unit", "text", "keyed hash of the unit, hexadecimal"),
    Column("session", "whole", "number of the unit's session; 0 where each decision is its own"),
    Column("decided_at", "time", "when it was decided"),
    Column("declaration", "whole", "version of the declaration it was decided under"),
    Column("snapshot", "whole", "version of the snapshot it was drawn from"),
    Column("reason", "text", "policy, holdout, pinned or default"),
    Column("degraded", "flag", "whether learning stood still"),
    Column("slate", "texts", "the arms that were decided, slot by slot"),
    Column("propensities", "numbers", "the shares that they were drawn with, each in its slot"),
    Column("inclusions", "numbers", "the shares of being in any slot; where slots are pooled"),
)
_SLOT = (
    Column("slot", "whole", "place in the slate; -1: all of it"),
    *_ARM,
    Column("propensity", "number", "the share that this arm was drawn with"),
)
EVENTS_SHEET = Sheet(
    "events",
    (
        _STAMP,
        Column("at", "time", "when it happened"),
        Column("kind", "text", "impression, or the kind of an outcome"),
        *_DECISION,
        *_SLOT,
        Column("value", "number", "amount that came with it, as it was sent"),
        Column("id", "text", "tells outcomes of a kind apart"),
    ),
)
FUNNELS_SHEET = Sheet(
    "funnels",
    (
        _STAMP,
        *_DECISION,
        *_SLOT,
        Column("shown_at", "time", "first impression of this slot; null: not seen"),
        Column("outcomes", "counts", "how often each kind happened, and the sum of its values"),
    ),
)
OBSERVATIONS_SHEET = Sheet(
    "observations",
    (
        _STAMP,
        Column("at", "time", "when the trial was shown"),
        _EXPERIMENT,
        Column("id", "text", "names the trial, hexadecimal"),
        *_ARM,
        Column("slot", "whole", "place in the slate; 0 where slots are pooled"),
        Column("unit", "text", "keyed hash of the unit, hexadecimal"),
        Column("declaration", "whole", "version of the declaration"),
        Column("reward_version", "whole", "version of the reward"),
        Column("reason", "text", "policy trains; holdout, pinned and default do not"),
        Column("propensity", "number", "the share that this arm was drawn with"),
        Column("reward", "number", "what the trial earned; a whole number of millionths"),
        Column("repeats", "whole", "later decisions of the session"),
        Column(
            "measured",
            "text",
            "what guardrails and signals measured, as JSON; null where none are declared",
        ),
    ),
)
IMPORTS_SHEET = Sheet(
    "imports",
    (
        _STAMP,
        Column("at", "time", "the time that the trials were counted at"),
        _EXPERIMENT,
        Column("id", "text", "names the row, hexadecimal; the first of each counts"),
        Column("key", "text", "idempotency key of its import"),
        *_ARM,
        Column("slot", "whole", "place in the slate"),
        Column("reward_version", "whole", "version of the reward"),
        *SUMS,
    ),
)
ARMS_SHEET = Sheet(
    "arms",
    (
        _STAMP,
        Column("at", "time", "when it was changed"),
        _EXPERIMENT,
        Column("version", "whole", "version of the set of arms"),
        Column("by", "text", "who changed it"),
        Column("change", "text", "what was done"),
        *_ARM,
        Column("status", "text", "active, paused or removed"),
        Column("group", "text", "the group that slates may show at most so many of; null: none"),
        Column("pinned", "flag", "whether it alone was shown"),
        Column("pinned_until", "time", "until when; null: until it is unpinned"),
    ),
)

Row = Sequence[object]


class Names:
    """Arms by number."""

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations

    def of(self, experiment: str, number: int) -> str:
        """The name that a number has for ever."""
        return self._declarations.arms(experiment).arms[number].name

    def decision(self, one: Decision) -> Row:
        """The columns of a decision."""
        slate = [self.of(one.experiment, arm) for arm in one.slate]
        return (
            one.experiment, one.tracking_id.hex(), one.unit.hex(), one.session, one.at,
            one.declaration, one.snapshot, one.reason, one.degraded, slate, list(one.propensities),
            list(one.inclusions) or None,
        )  # fmt: skip

    def slot(self, one: Decision, slot: int) -> Row:
        """The columns of one slot of a decision."""
        if slot < 0:
            return (slot, None, None, None)
        arm = one.slate[slot]
        return (slot, self.of(one.experiment, arm), arm, one.propensities[slot])


def events(one: Event, stamp: int, names: Names) -> Iterator[Row]:
    """One row an event."""
    yield (
        stamp, one.at, one.kind, *names.decision(one.decision),
        *names.slot(one.decision, one.slot), one.value / MICRO, one.id,
    )  # fmt: skip


def funnels(one: Funnel, stamp: int, names: Names) -> Iterator[Row]:
    """One row a slot."""
    for slot, (shown, outcomes) in enumerate(zip(one.shown, one.outcomes, strict=True)):
        counts = [
            {"kind": kind, "count": count, "value": value / MICRO}
            for kind, (count, value) in sorted(outcomes.items())
        ]
        decision = names.decision(one.decision)
        yield (stamp, *decision, *names.slot(one.decision, slot), shown or None, counts)


def observations(one: Observation, stamp: int, names: Names) -> Iterator[Row]:
    """One row a trial."""
    yield (
        stamp, one.at, one.experiment, one.id.hex(), names.of(one.experiment, one.arm), one.arm,
        one.slot, one.unit.hex(), one.declaration, one.reward_version, one.reason,
        one.propensity, one.reward / MICRO, one.repeats, _measured(one),
    )  # fmt: skip


def imports(one: Imported, stamp: int, names: Names) -> Iterator[Row]:
    """One row an imported row."""
    yield (
        stamp, one.at, one.experiment, one.id.hex(), one.key, names.of(one.experiment, one.arm),
        one.arm, one.slot, one.reward_version, *sums_row(one.sums),
    )  # fmt: skip


def arm_sets(one: ArmSet, stamp: int, _: Names) -> Iterator[Row]:
    """One row an arm of each version."""
    for arm in one.arms:
        pinned = arm.number == one.pinned
        yield (
            stamp, one.at, one.experiment, one.version, one.by, one.change, arm.name, arm.number,
            arm.status, arm.group or None, pinned, (one.pinned_until or None) if pinned else None,
        )  # fmt: skip


def _measured(one: Observation) -> str | None:
    values = {name: value / MICRO for name, value in one.measured.items()}
    return msgspec.json.encode(values).decode() if values else None
