"""What an experiment's page says: where learning stands, arm by arm."""

import time
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from croupier.apps.serve.service import Service
from croupier.core.arm_changes import pin_over
from croupier.core.arms.gaussian import NormalInverseGamma
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.arms.table import totals
from croupier.core.barred import kept_out
from croupier.core.convergence import churn
from croupier.core.learn import STRATA
from croupier.core.records import Arm
from croupier.core.reward import MICRO
from croupier.core.snapshot import Snapshot
from croupier.ports import Standing

_CATCH_UP_SECONDS = 2.0
_LOOK_AGAIN_SECONDS = 0.02
CHURN_OVER = 60
"""Over how many refreshes `churn` is an average, as Udemy's is."""
NOT_LEARNED = ("repeat", "holdout", "pinned", "default")
"""Decisions that were seen and that the posterior leaves out, by why."""


class Estimate(msgspec.Struct):
    """Trials, the sum of their rewards, and the mean (null before the first)."""

    n: int
    reward_sum: float
    mean: float | None


class ArmPage(Estimate, omit_defaults=True):
    """One arm: whether it is drawn, how likely it is to be shown now, and what is known of it.

    `slots` are the same estimates slot by slot, where each slot learns for itself; `group` is
    left out for an arm of none. `barred` says which guardrail an arm broke that is therefore not
    shown any more, unless it was removed. Where the reward is a surrogate, `doubted` is the part of
    the posterior's variance that the uncertainty of its weights makes up: no trial of the arm takes
    it away.
    """

    arm: str
    status: str
    weight: float
    slots: list[Estimate] | None = None
    group: str = ""
    barred: str | None = None
    doubted: float | None = None


class Page(msgspec.Struct):
    """The answer of GET /v1/experiments/{name}; estimates are of the current reward version.

    `filled` says how many of the `slots` are filled now: fewer where too few arms are active, or
    limits of groups leave too few.
    """

    name: str
    surface: str
    version: int
    policy: str
    declaration: int
    reward_version: int
    observations: int
    imported: int
    open: int
    late: int
    not_learned: int
    not_learned_by: dict[str, int]
    pinned: str | None
    slots: int
    filled: int
    ranking: str | None
    churn: float | None
    examination: list[float] | None
    arms: list[ArmPage]
    holdout: Estimate


def describe(service: Service, name: str, patience: float = _CATCH_UP_SECONDS) -> Page:
    """Where learning stands; KeyError for an unknown name.

    It waits a moment until all that was accepted before the question has been read, so that
    whoever has just sent an event finds it in `open`, `late` or `observations`.
    """
    standing = _caught_up(service, name, patience)
    declaration, arm_set = service.declarations.latest(name), service.declarations.arms(name)
    spec, snapshot = declaration.spec, service.snapshot(name)
    weights = dict(zip(snapshot.arms, snapshot.weights, strict=True)) if snapshot else {}
    barred = {
        each.arm: each.reason for each in kept_out(snapshot.barred if snapshot else (), arm_set)
    }
    doubted = _doubted(snapshot) if snapshot else {}
    rows = [
        row for row in standing.sums.items() if row[0].reward_version == declaration.reward_version
    ]
    known = {(stratum, arm): sums for (_, _, stratum, arm), sums in totals(rows).items()}
    by_slot = _by_slot(rows) if spec.slots > 1 and not spec.pools else None
    held_out = [sums for (stratum, _), sums in known.items() if stratum == "holdout"]
    counts = {what: count for (_, what), count in standing.counts.items()}
    left_out = {why: counts.get(why, 0) for why in NOT_LEARNED}
    return Page(
        name=name,
        surface=spec.surface,
        version=snapshot.version if snapshot else 0,
        policy=str(spec.policy.__struct_config__.tag),
        declaration=declaration.version,
        reward_version=declaration.reward_version,
        observations=counts.get("observations", 0),
        imported=counts.get("imported", 0),
        open=standing.open.get(name, 0),
        late=counts.get("late", 0),
        not_learned=sum(left_out.values()),
        not_learned_by=left_out,
        pinned=_pinned(service, name),
        slots=spec.slots,
        filled=round(sum(weights.values())),
        ranking=spec.ranking if spec.slots > 1 else None,
        examination=list(snapshot.examination) or None if snapshot else None,
        churn=churn(service.cache.history(name, CHURN_OVER + 1)),
        arms=[
            _arm(
                arm,
                weights.get(arm.number, 0.0),
                known.get(("policy", arm.number), Sums()),
                None
                if by_slot is None
                else [by_slot[arm.number, slot] for slot in range(spec.slots)],
                barred.get(arm.number),
                doubted.get(arm.number),
            )
            for arm in arm_set.arms
        ],
        holdout=_estimate(sum(held_out, Sums())),
    )


def _caught_up(service: Service, name: str, patience: float) -> Standing:
    deadline = time.monotonic() + patience
    while True:
        behind = service.runner.behind(service.states.load(name, strata=()).positions)
        if not behind or time.monotonic() > deadline or service.runner.health() is not None:
            return service.states.load(name, strata=STRATA)
        time.sleep(_LOOK_AGAIN_SECONDS)


def _pinned(service: Service, name: str) -> str | None:
    arms, now = service.declarations.arms(name), service.clock.now()
    if arms.pinned is None or pin_over(arms, now):
        return None
    return arms.arms[arms.pinned].name


def _doubted(snapshot: Snapshot) -> dict[int, float]:
    """By arm's number; empty where weights are certain, or slots have posteriors of their own."""
    own = snapshot.posterior
    parts = own.doubted() if isinstance(own, NormalInverseGamma) and not snapshot.further else None
    return {} if parts is None else dict(zip(snapshot.arms, parts.tolist(), strict=True))


def _by_slot(rows: Iterable[tuple[StateKey, Sums]]) -> dict[tuple[int, int], Sums]:
    found: dict[tuple[int, int], Sums] = defaultdict(Sums)
    for key, sums in rows:
        if key.stratum == "policy":
            found[key.arm, key.slot] += sums
    return found


def _arm(
    arm: Arm,
    weight: float,
    sums: Sums,
    by_slot: list[Sums] | None,
    barred: str | None,
    doubted: float | None,
) -> ArmPage:
    known = _estimate(sums)
    slots = None if by_slot is None else [_estimate(each) for each in by_slot]
    return ArmPage(
        known.n,
        known.reward_sum,
        known.mean,
        arm.name,
        arm.status,
        weight,
        slots,
        arm.group,
        barred,
        doubted,
    )


def _estimate(sums: Sums) -> Estimate:
    return Estimate(sums.n, sums.r / MICRO, sums.mean)
