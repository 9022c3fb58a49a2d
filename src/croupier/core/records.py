"""What the log holds: decisions with events, funnels, observations, declarations."""

from typing import Any, ClassVar, Literal

import msgspec

from croupier.core.experiment import Experiment

Reason = Literal["policy", "holdout", "pinned", "default"]
"""Why an arm was shown; `policy` and `holdout` are also the strata of the sums."""

IMPRESSION = "impression"


class Record(
    msgspec.Struct,
    frozen=True,
    gc=False,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="type",
    kw_only=True,
):
    """A value on the log. `extra` holds fields that a newer writer added and we keep."""

    VERSION: ClassVar[int] = 1
    v: int = 1
    extra: dict[str, Any] | None = None


class Decision(Record, frozen=True, gc=False, tag="decision"):
    """What was answered to whom: everything that a token carries, verified.

    `slate` holds append-only arm numbers and `propensities` the float32 shares that they were
    drawn with, each in its slot; `inclusions`, where the reward model pools the slots, those of
    being in any of them. `unit` is a keyed hash; `session` is 0 when each decision is its own.
    """

    tracking_id: bytes
    experiment: str
    unit: bytes
    session: int
    declaration: int
    snapshot: int
    slate: tuple[int, ...]
    propensities: tuple[float, ...]
    reason: Reason = "policy"
    degraded: bool = False
    inclusions: tuple[float, ...] = ()

    @property
    def at(self) -> int:
        """Decision time, milliseconds: the head of the tracking id."""
        return int.from_bytes(self.tracking_id[:6], "big")


class Event(Record, frozen=True, gc=False, tag="event"):
    """An impression or an outcome that somebody reported of a decision.

    `slot` says which part of the slate (−1: all of it, an impression only), `at` is event time
    bounded by decision and receipt, `value` counts millionths, `id` tells outcomes apart.
    """

    decision: Decision
    kind: str
    at: int
    slot: int = 0
    value: int = 0
    id: str = ""


class Tick(Record, frozen=True, gc=False, tag="tick"):
    """Nothing happened, and that is worth knowing: its append stamp moves time."""


class Marker(Record, frozen=True, gc=False, tag="marker"):
    """How far time has come in one partition of the topic before, behind all that it covers."""

    source: int
    watermark: int


class Funnel(Record, frozen=True, gc=False, tag="funnel"):
    """A decision's closed story: when each slot was first seen (0: never), and its outcomes.

    Where the experiment is timed, `delays` say how long after it was seen each slot had its first
    outcome, milliseconds (−1: none).
    """

    decision: Decision
    shown: tuple[int, ...]
    outcomes: tuple[dict[str, tuple[int, int]], ...]
    delays: tuple[int, ...] = ()


class Observation(Record, frozen=True, gc=False, tag="observation"):
    """One trial of one arm, the unit of learning; `reward` in millionths.

    `repeats` counts the later decisions of the session, carried by its first observation.
    `measured` are the values of guardrails and signals, in millionths, by the name that they are
    kept under.
    """

    id: bytes
    experiment: str
    arm: int
    slot: int
    unit: bytes
    declaration: int
    reward_version: int
    reason: Reason
    propensity: float
    reward: int
    at: int
    repeats: int = 0
    measured: dict[str, int] = {}


class TimedObservation(Observation, frozen=True, gc=False, tag="timed_observation", kw_only=True):
    """An observation of a timed experiment: how long after the impression its first outcome came.

    Milliseconds; −1: there was none.
    """

    delay: int


class Imported(Record, frozen=True, gc=False, tag="imported"):
    """Past trials of one arm, added up elsewhere: they train like our own.

    `id` names the row of its import and `content` what it says; `sums` is the text of exact Sums
    (they outgrow 64 bits). `key` is the idempotency key that it came with.
    """

    id: bytes
    content: bytes
    experiment: str
    arm: int
    slot: int
    reward_version: int
    at: int
    sums: str
    key: str = ""


class Declaration(Record, frozen=True, gc=False, tag="declaration"):
    """An experiment as its owner declared it, from decision `at` on."""

    version: int
    reward_version: int
    at: int
    spec: Experiment


Status = Literal["active", "paused", "removed"]
"""Only active arms are drawn; what was shown of the others still counts for them."""


class Arm(msgspec.Struct, frozen=True, gc=False):
    """One arm of a set: its append-only number, its name, whether it is drawn, and its group."""

    number: int
    name: str
    status: Status = "active"
    group: str = ""


class ArmSet(Record, frozen=True, gc=False, tag="arm_set"):
    """All arms that an experiment ever had, after somebody's change; numbers are for ever.

    While an arm is `pinned` (until a time in milliseconds, 0: until it is unpinned), it alone is
    shown, and nothing is learned. `by` and `change` say who did what; `note` is what somebody who
    used an API key called himself.
    """

    experiment: str
    version: int
    at: int
    arms: tuple[Arm, ...]
    by: str = "config"
    change: str = ""
    pinned: int | None = None
    pinned_until: int = 0
    note: str = ""


class Refill(Record, frozen=True, gc=False, tag="refill"):
    """Past trials were valued by a newer reward, too: those closed at or before `watermark`."""

    experiment: str
    reward_version: int
    watermark: int
    at: int
