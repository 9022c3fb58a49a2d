"""Arms whose outcomes take days, through the real ring on memory, in turned time."""

import heapq

import numpy as np

from croupier.clock import TurnedClock
from croupier.config.backends import Backends, open_backends
from croupier.core import codec
from croupier.core.decide import Decider, hash_unit
from croupier.core.declarations import Declarations
from croupier.core.duration import DAY, HOUR, MINUTE
from croupier.core.experiment import Experiment
from croupier.core.policies.thompson import Thompson
from croupier.core.records import Event, Tick
from croupier.core.reward import Reward, Term
from croupier.core.snapshot import Snapshot
from croupier.ports import EVENTS
from croupier.runners.ring import Ring

BEGIN = 1_767_225_600_000
Slow = tuple[float, float]
"""How often an arm succeeds, and how many days its outcomes take on average."""


def slow_experiment(window: int, *, corrected: bool) -> Experiment:
    """Two arms; an outcome counts within the window."""
    return Experiment(
        "slow",
        ("fast", "late"),
        "fast",
        Reward({"buy": Term(1.0)}),
        policy=Thompson(floor=0.01, delay_corrected=corrected),
        window=window,
        session=None,
        sticky="decision",
        lateness=MINUTE,
        refresh=4 * HOUR,
    )


class SlowArms:
    """Visitors come evenly, see what they are shown at once, and act after an exponential time."""

    def __init__(self, spec: Experiment, arms: tuple[Slow, Slow], seed: int) -> None:
        self.spec, self._arms = spec, arms
        self._dice = np.random.default_rng(seed)
        self.clock = TurnedClock(BEGIN)
        self.backends: Backends = open_backends("memory://", clock=self.clock)
        self.book = Declarations()
        for record in self.book.changes(spec, BEGIN):
            self.book.apply(record)
        self._key = seed.to_bytes(16, "big")
        self._waiting: list[tuple[int, int, bytes]] = []
        self.shown: list[tuple[int, int]] = []
        self.begin()

    def begin(self) -> None:
        """A ring as after a start: what it knows is in the backends."""
        self.ring = Ring(self.backends, self.book, [self.spec.name], self._accept)
        self.ring.recover()

    def play(self, begin: int, end: int, visits: int) -> None:
        """So many visits between two times, milliseconds from the beginning."""
        refresh = self.spec.refresh
        turned = begin // refresh
        for at in np.linspace(begin, end, visits, endpoint=False).astype(np.int64).tolist():
            for turn in range(turned + 1, at // refresh + 1):
                self.turn(turn * refresh)
                turned = turn
            self._visit(at)

    def turn(self, at: int) -> None:
        """Append all that was reported by now; read, learn and publish."""
        while self._waiting and self._waiting[0][0] <= BEGIN + at:
            self.clock.at, _, payload = heapq.heappop(self._waiting)
            self.backends.log.append(EVENTS, [payload])
        self.clock.at = BEGIN + at
        self.backends.log.append(EVENTS, [codec.encode(Tick())])
        while self.ring.step():
            pass
        self.ring.refresh()

    def share(self, begin: int) -> float:
        """The late arm's part of what was shown from this time on."""
        return float(np.mean([arm for at, arm in self.shown if at >= begin]))

    def _visit(self, at: int) -> None:
        number = len(self.shown)
        tracking_id = (BEGIN + at).to_bytes(6, "big") + number.to_bytes(9, "big")
        unit = hash_unit(self._key, str(number))
        decision = self._decider.decide(unit, BEGIN + at, tracking_id).decision
        arm = decision.slate[0]
        self.shown.append((at, arm))
        self._report(Event(decision=decision, kind="impression", at=BEGIN + at))
        rate, mean = self._arms[arm]
        lucky, days = self._dice.random(), self._dice.exponential(mean)
        while days * DAY > self.spec.window:
            days = self._dice.exponential(mean)
        if lucky < rate:
            acted = BEGIN + at + int(days * DAY)
            self._report(Event(decision=decision, kind="buy", at=acted))

    def _report(self, event: Event) -> None:
        heapq.heappush(
            self._waiting, (event.at, len(self._waiting) + len(self.shown), codec.encode(event))
        )

    def _accept(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._decider = Decider(snapshot, self.book.latest(self.spec.name))
