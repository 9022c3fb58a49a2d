"""The simulation: the real ring on memory, in a time that we turn, in a known world."""

from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from croupier.adapters.memory import MemoryLog, MemorySnapshots, MemoryState
from croupier.clock import Clock
from croupier.config.backends import Backends
from croupier.core import codec
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import Sums
from croupier.core.arms.table import totals
from croupier.core.decide import Decider, hash_unit
from croupier.core.declarations import Declarations
from croupier.core.experiment import Experiment
from croupier.core.fold import GRAIN
from croupier.core.records import IMPRESSION, Event
from croupier.core.reward import MICRO
from croupier.core.snapshot import Snapshot
from croupier.core.worlds.delivery import ABSENT
from croupier.core.worlds.ledger import Account, Shown, account, outcome_kind, worth
from croupier.core.worlds.world import Visits, World
from croupier.ports import EVENTS, TOPICS
from croupier.runners.ring import Ring

MIDNIGHT = 1_767_225_600_000
"""When every world begins: 2026-01-01 00:00 UTC, milliseconds."""

_CHUNK = 64


class TurnedClock(Clock):
    """A clock that shows what it is set to."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def now(self) -> int:
        """The time that was set, milliseconds."""
        return self.at


class Run(msgspec.Struct, frozen=True):
    """How one policy fared. `shares` of arms by step; `regret` up to the end of each step.

    `learned` is what the ring counted, `expected` what the world knows to have happened.
    """

    policy: str
    regret: list[float]
    shares: list[list[float]]
    best_share: float
    reward: float
    of_uniform: float
    duplicates: int
    snapshots: int
    learned: Account
    expected: Account

    @property
    def exact(self) -> bool:
        """Whether what was learned is what happened, to the last trial."""
        return self.learned == self.expected


class Simulation(msgspec.Struct, frozen=True):
    """What happened in one world. `times` are the ends of steps, milliseconds since its start.

    `best` is the arm of the highest rate in each step; `uniform_regret` is what equal shares
    would have lost, in expectation.
    """

    world: str
    seed: int
    visits: int
    arms: list[str]
    rates: list[float]
    times: list[int]
    best: list[str]
    uniform_regret: list[float]
    runs: list[Run]


def simulate(
    world: World,
    rates: list[float],
    experiments: Mapping[str, Experiment],
    visits: int,
    seed: int,
    steps: int = 60,
    on_visits: Callable[[int], None] = lambda done: None,
) -> Simulation:
    """Send the same visits through one ring for each experiment, all with the same arms.

    Regret is counted on true rates: Σ over visits of max_k μ_k(t) − μ_shown(t), times what a
    success is worth. The same arguments give the same answer.
    """
    fate = world.visits(visits, np.random.default_rng(seed))
    truth = world.change.rates(rates, fate.at.astype(np.float64))
    names = next(iter(experiments.values())).arms
    end = int(fate.at[-1]) + 1
    step = fate.at * steps // end
    best = truth.argmax(axis=1)
    runs = []
    for label, spec in experiments.items():
        table = Table(spec, fate, seed)
        shown = table.play(truth, on_visits)
        runs.append(_judge(label, table, shown, truth, step, steps))
    unit = worth(next(iter(experiments.values())), 1) / MICRO
    lost = (truth.max(axis=1) - truth.mean(axis=1)) * unit
    return Simulation(
        world=world.name,
        seed=seed,
        visits=visits,
        arms=list(names),
        rates=rates,
        times=[end * (place + 1) // steps for place in range(steps)],
        best=[names[_most(best[step == place], len(names))] for place in range(steps)],
        uniform_regret=_cumulative(lost, step, steps),
        runs=runs,
    )


class Table:
    """One experiment's ring, and the reports that are on their way to it."""

    def __init__(self, spec: Experiment, visits: Visits, seed: int) -> None:
        self.spec, self.visits = spec, visits
        self._clock = TurnedClock(MIDNIGHT)
        log = MemoryLog(self._clock)
        self._backends = Backends(
            self._clock, log, MemoryState(log), MemorySnapshots(), lambda: None
        )
        self._log = log
        declarations = Declarations()
        for record in declarations.changes(spec, MIDNIGHT):
            declarations.apply(record)
        self._ring = Ring(self._backends, declarations, [spec.name], self._accept)
        self._waiting: dict[int, list[tuple[int, int, bytes]]] = {}
        self._sent = 0
        self.snapshots = 0
        key = seed.to_bytes(16, "big")
        self._units = {unit: hash_unit(key, str(unit)) for unit in visits.unit.tolist()}

    def play(self, truth: FloatArray, on_visits: Callable[[int], None]) -> Shown:
        """Decide every visit in its time, deliver every report in its own, close every story."""
        visits, refresh = self.visits, self.spec.refresh
        count = len(visits.at)
        succeeds = (visits.luck[:, None] < truth).tolist()
        arm, session = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
        held_out, succeeded = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
        rows = zip(*(column.tolist() for column in visits), succeeds, strict=True)
        self._ring.recover()
        turn = 0
        for place, (at, unit, _, sees, acts, lags, wins) in enumerate(rows):
            while turn < at // refresh:
                turn += 1
                self._turn(turn)
            decided = MIDNIGHT + at
            tracking_id = decided.to_bytes(6, "big") + place.to_bytes(9, "big")
            decision = self._decider.decide(self._units[unit], decided, tracking_id).decision
            won = wins[decision.slate[0]]
            seen = decided + sees
            self._report(Event(decision=decision, kind=IMPRESSION, at=seen), lags[0])
            if won:
                self._report(self._outcome(decision, seen + acts), lags[1])
            arm[place], session[place] = decision.slate[0], decision.session
            held_out[place], succeeded[place] = decision.reason == "holdout", won
            if not place % _CHUNK:
                on_visits(_CHUNK)
        self._finish(turn)
        return Shown(arm, session, held_out, succeeded)
