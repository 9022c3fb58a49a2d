"""The simulation: the real ring on memory, in a known world and time."""

import heapq
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from croupier.clock import Clock
from croupier.config.backends import open_backends
from croupier.core import codec
from croupier.core.arms.sums import Sums
from croupier.core.arms.table import totals
from croupier.core.decide import Decider, hash_unit
from croupier.core.declarations import Declarations
from croupier.core.experiment import Experiment
from croupier.core.fold import GRAIN
from croupier.core.records import IMPRESSION, Decision, Event
from croupier.core.reward import MICRO
from croupier.core.snapshot import Snapshot
from croupier.core.worlds.delivery import ABSENT
from croupier.core.worlds.ledger import Account, Flags, Shown, account, outcome_kind, worth
from croupier.core.worlds.regret import Course, Run, Simulation
from croupier.core.worlds.world import Visits, World
from croupier.ports import EVENTS, TOPICS
from croupier.runners.ring import Ring

MIDNIGHT = 1_767_225_600_000
"""When every world begins: 2026-01-01 00:00 UTC, milliseconds."""

STEPS = 60
_CHUNK = 500


class TurnedClock(Clock):
    """A clock that shows what it is set to.

    >>> TurnedClock(5).now()
    5
    """

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def now(self) -> int:
        """The time that was set, milliseconds."""
        return self.at


def simulate(  # noqa: PLR0913 - a world, its arms, who plays, how long, which luck
    world: World,
    rates: Sequence[float],
    experiments: Mapping[str, Experiment],
    visits: int,
    seed: int,
    steps: int = STEPS,
    on_visits: Callable[[int], object] = lambda _: None,
) -> Simulation:
    """Send the same visits through one ring for each labelled experiment, all of the same arms.

    The same arguments give the same answer. `on_visits` is told how many more are done.
    """
    fate = world.visits(visits, np.random.default_rng(seed))
    truth = world.change.rates(list(rates), fate.at.astype(np.float64))
    end = int(fate.at[-1]) + 1
    first = next(iter(experiments.values()))
    course = Course(truth * (worth(first, 1) / MICRO), fate.at * steps // end, steps)
    uniform = course.uniform_regret()
    best = course.best()
    runs = []
    for label, spec in experiments.items():
        table = Table(spec, fate, seed)
        shown = table.play(fate.luck[:, None] < truth, on_visits)
        regret, shares = course.regret(shown.arm), course.shares(shown.arm)
        learned, expected = table.learned(), account(spec, fate, shown)
        runs.append(
            Run(
                policy=label,
                regret=regret.tolist(),
                shares=shares.tolist(),
                best_share=float(shares[-1, best[-1]]),
                of_uniform=float(regret[-1] / uniform[-1]) if uniform[-1] > 0 else 0.0,
                reward=sum(learned.reward) / MICRO,
                duplicates=table.duplicates,
                snapshots=table.snapshots,
                exact=learned == expected,
                learned=learned,
                expected=expected,
            )
        )
    return Simulation(
        world=world.name,
        seed=seed,
        visits=visits,
        arms=list(first.arms),
        rates=list(rates),
        times=[end * (place + 1) // steps for place in range(steps)],
        best=[first.arms[arm] for arm in best],
        uniform_regret=uniform.tolist(),
        runs=runs,
    )


class Table:
    """One experiment's ring, its decider, and the reports that are on their way to the log.

    Nothing of the ring is replaced but the clock: reports are appended when their lag is over,
    the ring turns and publishes each `refresh` (where somebody comes to see it), and every visit
    is decided from the newest snapshot. Tokens are left out.
    """

    def __init__(self, spec: Experiment, visits: Visits, seed: int) -> None:
        self.spec, self.visits = spec, visits
        self.duplicates = self.snapshots = 0
        self._clock = TurnedClock(MIDNIGHT)
        backends = open_backends("memory://", clock=self._clock)
        self._log, self._states = backends.log, backends.states
        self._declarations = Declarations()
        for record in self._declarations.changes(spec, MIDNIGHT):
            self._declarations.apply(record)
        self._ring = Ring(backends, self._declarations, [spec.name], self._accept)
        self._kind = outcome_kind(spec)
        self._waiting: list[tuple[int, int, bytes]] = []
        self._order = 0
        key = seed.to_bytes(16, "big")
        self._units = {unit: hash_unit(key, str(unit)) for unit in set(visits.unit.tolist())}

    def play(self, succeeds: Flags, on_visits: Callable[[int], object]) -> Shown:
        """Decide every visit in its time, deliver every report in its own, close every story."""
        visits, refresh = self.visits, self.spec.refresh
        arms: list[int] = []
        sessions, held_out, won = [], [], []
        self._ring.recover()
        turn = 0
        columns = (visits.at, visits.unit, visits.seen, visits.acted, visits.lags, succeeds)
        for at, unit, seen, acted, lags, wins in zip(*(c.tolist() for c in columns), strict=True):
            if at // refresh > turn:
                turn = at // refresh
                self._turn(MIDNIGHT + turn * refresh)
            decision = self._decide(self._units[unit], MIDNIGHT + at, len(arms))
            arm = decision.slate[0]
            self._report(decision, IMPRESSION, MIDNIGHT + seen, lags[0])
            if wins[arm]:
                self._report(decision, self._kind, MIDNIGHT + acted, lags[1])
            arms.append(arm)
            sessions.append(decision.session)
            held_out.append(decision.reason == "holdout")
            won.append(wins[arm])
            if not len(arms) % _CHUNK:
                on_visits(_CHUNK)
        on_visits(len(arms) % _CHUNK)
        self._finish()
        return Shown(np.array(arms), np.array(sessions), np.array(held_out), np.array(won))

    def learned(self) -> Account:
        """What the state store holds."""
        standing, spec = self._states.load(), self.spec
        found = totals(standing.sums.items())
        arms = [found.get((spec.name, 1, "policy", arm), Sums()) for arm in range(len(spec.arms))]
        counts = (
            standing.counts.get((spec.name, what), 0) for what in ("late", "repeat", "holdout")
        )
        return Account(tuple(sums.n for sums in arms), tuple(sums.r for sums in arms), *counts)

    def _accept(self, snapshot: Snapshot) -> None:
        self.snapshots += 1
        self._decider = Decider(snapshot, self._declarations.latest(self.spec.name))

    def _decide(self, unit: bytes, at: int, number: int) -> Decision:
        tracking_id = at.to_bytes(6, "big") + number.to_bytes(9, "big")
        return self._decider.decide(unit, at, tracking_id).decision

    def _report(self, decision: Decision, kind: str, at: int, lags: list[int]) -> None:
        value = 0 if kind == IMPRESSION else MICRO
        payload = codec.encode(Event(decision=decision, kind=kind, at=at, value=value))
        self.duplicates += lags[1] != ABSENT
        for lag in lags:
            if lag != ABSENT:
                self._order += 1
                heapq.heappush(self._waiting, (at + lag, self._order, payload))

    def _turn(self, now: int) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            self._clock.at, _, payload = heapq.heappop(self._waiting)
            self._log.append(EVENTS, [payload])
        self._clock.at = now
        while self._ring.step() or self._ring.step():
            pass  # a step that found nothing may have written a tick for the next
        self._ring.refresh()
        for topic in TOPICS:
            self._log.trim(topic, now)

    def _finish(self) -> None:
        last = max((stamp for stamp, _, _ in self._waiting), default=self._clock.at)
        ends = MIDNIGHT + int(self.visits.at[-1]) + self.spec.longest_story + 2 * GRAIN
        self._turn(max(last, ends))
