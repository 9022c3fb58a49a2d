"""What serving holds in memory, so that deciding needs no I/O."""

import os
from collections import Counter
from collections.abc import Mapping
from itertools import count
from typing import NamedTuple

import msgspec

from croupier.apps.serve.runner import Alone, Runner
from croupier.clock import Clock
from croupier.core.decide import Choice, Decider, hash_unit
from croupier.core.declarations import Declarations
from croupier.core.experiment import Experiment
from croupier.core.records import Decision
from croupier.core.session import session_at
from croupier.core.snapshot import Snapshot
from croupier.core.token import Signer
from croupier.ports import EventLog, SnapshotCache, StateStore

LONGEST_UNIT = 512
"""Characters of a unit."""


class Limits(NamedTuple):
    """What a request may be; `oldest` is the age in milliseconds at which a token expires."""

    body: int
    events: int
    skew: int
    oldest: int | None


class TrackingIds:
    """Time-ordered ids of 15 bytes: 6 of milliseconds, 5 of this process, 4 that count.

    Threads may share one; a process that was forked needs one of its own.
    """

    def __init__(self) -> None:
        self._process = os.urandom(5)
        self._count = count(int.from_bytes(os.urandom(4), "big"))

    def make(self, at: int) -> bytes:
        """A new id for a decision made at `at`."""
        number = next(self._count) & 0xFFFFFFFF  # whole, whoever else counts at the same time
        return at.to_bytes(6, "big") + self._process + number.to_bytes(4, "big")


class DecideRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a decide request."""

    unit: str
    eligible: list[str] | None = None
    exclude: list[str] | None = None
    exposed: bool = False

    def __post_init__(self) -> None:
        """ValueError for a unit that cannot be one; the decoder makes a ValidationError of it."""
        if not 0 < len(self.unit) <= LONGEST_UNIT:
            raise ValueError(f"unit must be 1 to {LONGEST_UNIT} characters")


class Service:
    """Serving's state; one event loop uses it, and the runner hands it new snapshots."""

    def __init__(  # noqa: PLR0913 - everything that serving needs of the world
        self,
        clock: Clock,
        log: EventLog,
        states: StateStore,
        cache: SnapshotCache,
        declarations: Declarations,
        experiments: Mapping[str, Experiment],
        signer: Signer,
        unit_key: bytes,
        limits: Limits,
        runner: Runner | None = None,
    ) -> None:
        self.clock, self.log, self.states, self.cache = clock, log, states, cache
        self.declarations, self.experiments = declarations, experiments
        self.signer, self.limits = signer, limits
        self.runner: Runner = runner or Alone()
        self.tracking_ids = TrackingIds()
        self.counters: Counter[tuple[str, ...]] = Counter()
        self.unit_key = unit_key
        self._deciders: dict[str, Decider] = {}
        self._known: dict[str, dict[str, int]] = {}
        for name in declarations.names():
            self.know_arms(name)

    @property
    def ready(self) -> bool:
        """Whether every declared experiment has a snapshot."""
        return self._deciders.keys() >= self.experiments.keys()

    def accept(self, snapshot: Snapshot) -> None:
        """Serve from this snapshot from now on, unless a later one is being served."""
        name = snapshot.experiment
        current = self._deciders.get(name)
        if current is None or current.snapshot.version < snapshot.version:
            under = self.declarations.under(name, snapshot.declaration)
            self._deciders[name] = Decider(snapshot, under, current)

    def redeclare(self, name: str) -> None:
        """Decide under the newest declaration, as far as the snapshot that is served fits it."""
        current = self._deciders.get(name)
        if current is not None:
            under = self.declarations.under(name, current.snapshot.declaration)
            if current.spec != under.spec:
                self._deciders[name] = Decider(current.snapshot, under)

    def snapshot(self, name: str) -> Snapshot | None:
        """What is being served for an experiment."""
        decider = self._deciders.get(name)
        return decider.snapshot if decider else None

    def know_arms(self, name: str) -> None:
        """Look at the arms of an experiment again: they have changed."""
        arms = self.declarations.arms(name).arms
        self._known[name] = {arm.name: arm.number for arm in arms}

    def arm_numbers(self, name: str) -> Mapping[str, int]:
        """Every arm that an experiment ever had."""
        return self._known[name]

    def decide(self, name: str, request: DecideRequest) -> Choice:
        """Decide for one unit; NoArmLeftError when the request leaves nothing to show."""
        at = self.clock.now()
        unit = hash_unit(self.unit_key, request.unit)
        tracking_id = self.tracking_ids.make(at)
        degraded = self.runner.health() is not None
        decider = self._deciders.get(name)
        if decider is None:
            return self._default(name, unit, at, tracking_id)
        return decider.decide(
            unit,
            at,
            tracking_id,
            request.eligible,
            request.exclude or (),
            self._known[name],
            degraded=degraded,
        )

    def _default(self, name: str, unit: bytes, at: int, tracking_id: bytes) -> Choice:
        spec = self.experiments[name]
        sure = (1.0,) * len(spec.defaults)
        decision = Decision(
            tracking_id=tracking_id,
            experiment=name,
            unit=unit,
            session=0 if spec.session is None else session_at(unit, at, spec.session),
            declaration=self.declarations.latest(name).version,
            snapshot=0,
            slate=tuple(self._known[name][arm] for arm in spec.defaults),
            propensities=sure,
            inclusions=sure if spec.pools else (),
            reason="default",
            degraded=True,
        )
        return Choice(decision, spec.defaults, sure)
