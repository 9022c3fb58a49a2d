"""The simulation: the real ring on memory, in a known world and time."""

import heapq
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from croupier.clock import TurnedClock
from croupier.config.backends import open_backends
from croupier.core import codec
from croupier.core.arms.sums import Sums
from croupier.core.arms.table import totals
from croupier.core.convergence import churn
from croupier.core.decide import Decider, hash_unit
from croupier.core.declarations import Declarations
from croupier.core.experiment import Experiment
from croupier.core.fold import GRAIN
from croupier.core.records import IMPRESSION, Decision, Event
from croupier.core.reward import MICRO
from croupier.core.snapshot import Snapshot
from croupier.core.worlds.attention import Views
from croupier.core.worlds.delivery import ABSENT
from croupier.core.worlds.ledger import Account, Flags, Shown, account, outcome_kind, worth
from croupier.core.worlds.regret import Course, Run, Simulation
from croupier.core.worlds.world import Visits, World
from croupier.ports import EVENTS, TOPICS
from croupier.runners.ring import Ring

MIDNIGHT = 1_767_225_600_000
"""When every world begins: 2026-01-01 00:00 UTC, milliseconds."""

STEPS = 60
SETTLED = 61
"""How many of the last snapshots say how much the ranking still moves: 60 changes."""

_CHUNK = 500


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
    views = world.views(fate, len(first.arms), first.slots, np.random.default_rng((seed, 1)))
    attention = tuple(world.attention.of(first.slots).tolist())
    value = truth * (worth(first, 1) / MICRO)
    course = Course(value, fate.at * steps // end, steps, attention)
    uniform = course.uniform_regret()
    best, at_the_end = course.best(), course.best_at_the_end()
    runs = []
    for label, spec in experiments.items():
        table = Table(spec, fate, views, seed)
        shown = table.play(views.luck < truth, on_visits)
        regret, shares = course.regret(shown.arm), course.shares(shown.arm)
        learned, expected = table.learned(), account(spec, fate, shown, views)
        runs.append(
            Run(
                policy=label,
                regret=regret.tolist(),
                shares=shares.tolist(),
                best_share=float(shares[-1, at_the_end].sum()),
                of_uniform=float(regret[-1] / uniform[-1]) if uniform[-1] > 0 else 0.0,
                reward=sum(learned.reward) / MICRO,
                duplicates=table.duplicates,
                snapshots=table.snapshots,
                churn=churn(table.last),
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
        attention=list(attention),
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

    def __init__(self, spec: Experiment, visits: Visits, views: Views, seed: int) -> None:
        self.spec, self.visits, self.views = spec, visits, views
        self.duplicates = self.snapshots = 0
        self.last: deque[Snapshot] = deque(maxlen=SETTLED)
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
        visits, views, refresh = self.visits, self.views, self.spec.refresh
        arms: list[tuple[int, ...]] = []
        sessions, held_out, won = [], [], []
        self._ring.recover()
        turn = 0
        columns = (visits.at, visits.unit, visits.seen, views.looks, views.acts, views.lags)
        rows = zip(*(column.tolist() for column in (*columns, succeeds)), strict=True)
        for at, unit, seen, looks, acts, lags, wins in rows:
            if at // refresh > turn:
                turn = at // refresh
                self._turn(MIDNIGHT + turn * refresh)
            decision = self._decide(self._units[unit], MIDNIGHT + at, len(arms))
            won.append([wins[arm] for arm in decision.slate])
            for slot, look in enumerate(looks):
                if look:
                    self._report(decision, slot, IMPRESSION, MIDNIGHT + seen, lags[slot][0])
                if look and won[-1][slot]:
                    acted = MIDNIGHT + seen + acts[slot]
                    self._report(decision, slot, self._kind, acted, lags[slot][1])
            arms.append(decision.slate)
            sessions.append(decision.session)
            held_out.append(decision.reason == "holdout")
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
        self.last.append(snapshot)
        self._decider = Decider(snapshot, self._declarations.latest(self.spec.name))

    def _decide(self, unit: bytes, at: int, number: int) -> Decision:
        tracking_id = at.to_bytes(6, "big") + number.to_bytes(9, "big")
        return self._decider.decide(unit, at, tracking_id).decision

    def _report(self, decision: Decision, slot: int, kind: str, at: int, lags: list[int]) -> None:
        value = 0 if kind == IMPRESSION else MICRO
        payload = codec.encode(Event(decision=decision, kind=kind, at=at, slot=slot, value=value))
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
