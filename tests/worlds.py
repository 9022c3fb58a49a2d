"""What tests need on top of the simulated worlds: their deliveries as data, ready to be sent."""

from functools import cache
from typing import Any, NamedTuple

import msgspec
import numpy as np

from croupier.core.decide import Decider, hash_unit
from croupier.core.declarations import Declarations
from croupier.core.duration import MINUTE
from croupier.core.experiment import Experiment
from croupier.core.fold import GRAIN
from croupier.core.policies.registry import Policy
from croupier.core.policies.thompson import Thompson
from croupier.core.publish import publish
from croupier.core.records import IMPRESSION, Event
from croupier.core.reward import MICRO, Reward, Term
from croupier.core.worlds.delivery import ABSENT
from croupier.core.worlds.ledger import Account, Shown, account, outcome_kind
from croupier.core.worlds.registry import WORLDS
from croupier.core.worlds.regret import Simulation
from croupier.core.worlds.world import Visits
from croupier.runners.simulation import MIDNIGHT, simulate

RATES = (0.1, 0.2, 0.3)
HARD_RATES = (0.02, 0.025, 0.03)


class Report(NamedTuple):
    """One copy of an event, and when the log has to stamp it, milliseconds."""

    stamp: int
    event: Event


class Scene(NamedTuple):
    """Reports in order of arrival, and what must have been learned once log time is at `end`."""

    spec: Experiment
    declarations: Declarations
    reports: list[Report]
    expected: Account
    end: int


def experiment(policy: Policy | None = None, **changes: Any) -> Experiment:
    """Three arms, rewarded by a click; `changes` are any fields of Experiment."""
    one = Experiment("button", ("a", "b", "c"), "a", Reward({"click": Term(1.0)}), refresh=MINUTE)
    return msgspec.structs.replace(one, policy=policy or Thompson(), **changes)


def scene(
    world: str = "hostile", visits: int = 500, seed: int = 1, spec: Experiment | None = None
) -> Scene:
    """A world's visits, decided from the prior's snapshot, and all that was sent of them.

    Nothing is learned between decisions, so that reports do not depend on who reads them.
    """
    spec = spec or experiment()
    declarations = Declarations()
    for record in declarations.changes(spec, MIDNIGHT):
        declarations.apply(record)
    declaration, arms = declarations.latest(spec.name), declarations.arms(spec.name)
    prior = publish(declaration, arms, {}, version=1, at=MIDNIGHT, watermark=0)
    decider = Decider(prior, declaration)
    fate = WORLDS[world].visits(visits, np.random.default_rng(seed))
    rates = list(RATES[: len(spec.arms)])
    succeeds = fate.luck[:, None] < WORLDS[world].change.rates(rates, fate.at.astype(np.float64))
    reports: list[Report] = []
    rows = []
    for number, unit in enumerate(fate.unit.tolist()):
        at = MIDNIGHT + int(fate.at[number])
        tracking_id = at.to_bytes(6, "big") + number.to_bytes(9, "big")
        decision = decider.decide(hash_unit(bytes(32), str(unit)), at, tracking_id).decision
        arm = decision.slate[0]
        won = bool(succeeds[number, arm])
        rows.append((arm, decision.session, decision.reason == "holdout", won))
        seen, acted = (
            MIDNIGHT + int(fate.seen[number]),
            MIDNIGHT + int(fate.seen[number] + fate.acts[number]),
        )
        impression = Event(decision=decision, kind=IMPRESSION, at=seen)
        outcome = Event(decision=decision, kind=outcome_kind(spec), at=acted, value=MICRO)
        reports += copies(impression, fate, number, 0)
        reports += copies(outcome, fate, number, 1) if won else []
    reports.sort(key=lambda report: report.stamp)
    shown = Shown(*(np.array(column) for column in zip(*rows, strict=True)))
    last = max(reports[-1].stamp, MIDNIGHT + int(fate.at[-1]) + spec.longest_story)
    return Scene(spec, declarations, reports, account(spec, fate, shown), last + 2 * GRAIN)


def copies(event: Event, fate: Visits, number: int, kind: int) -> list[Report]:
    """The copies of one event that arrive at all, each at its own stamp."""
    lags = fate.lags[number, kind].tolist()
    return [Report(event.at + lag, event) for lag in lags if lag != ABSENT]


@cache
def played(world: str, visits: int = 3_000, seed: int = 1) -> Simulation:
    """A simulation under Thompson sampling, run once however many tests look at it."""
    return simulate(WORLDS[world], HARD_RATES, {"thompson": experiment()}, visits, seed)
