"""What an experiment's page says: where learning stands, arm by arm."""

import time
from typing import Any

from croupier.apps.serve.service import Service
from croupier.core.arms.sums import Sums
from croupier.core.arms.table import totals
from croupier.core.records import Arm
from croupier.core.reward import MICRO
from croupier.ports import EVENTS, Standing

_CATCH_UP_SECONDS = 2.0
_LOOK_AGAIN_SECONDS = 0.02
NOT_LEARNED = ("repeat", "holdout", "pinned", "default")
"""Decisions that were seen and that the posterior leaves out, by why."""


def describe(service: Service, name: str) -> dict[str, Any]:
    """The answer of GET /v1/experiments/{name}; KeyError for an unknown name.

    It waits a moment until all that was accepted before the question has been read, so that
    whoever has just sent an event finds it in `open`, `late` or `observations`.
    """
    standing = _caught_up(service, name)
    declaration, arm_set = service.declarations.latest(name), service.declarations.arms(name)
    spec, snapshot = declaration.spec, service.snapshot(name)
    weights = dict(zip(snapshot.arms, snapshot.weights, strict=True)) if snapshot else {}
    known = {
        (stratum, arm): sums
        for (_, reward_version, stratum, arm), sums in totals(standing.sums.items()).items()
        if reward_version == declaration.reward_version
    }
    default = next(arm.number for arm in arm_set.arms if arm.name == spec.default)
    counts = {what: count for (_, what), count in standing.counts.items()}
    left_out = {why: counts.get(why, 0) for why in NOT_LEARNED}
    return {
        "name": name,
        "surface": spec.surface,
        "version": snapshot.version if snapshot else 0,
        "policy": snapshot.policy.__struct_config__.tag if snapshot else None,
        "declaration": declaration.version,
        "reward_version": declaration.reward_version,
        "observations": counts.get("observations", 0),
        "open": standing.open.get(name, 0),
        "late": counts.get("late", 0),
        "not_learned": sum(left_out.values()),
        "not_learned_by": left_out,
        "arms": [
            _arm(arm, weights.get(arm.number, 0.0), known.get(("policy", arm.number), Sums()))
            for arm in arm_set.arms
        ],
        "holdout": _sums(known.get(("holdout", default), Sums())),
    }


def _caught_up(service: Service, name: str) -> Standing:
    ends, deadline = service.log.ends(EVENTS), time.monotonic() + _CATCH_UP_SECONDS
    while True:
        standing = service.states.load(name)
        behind = any(standing.positions.get(p, 0) < end for p, end in ends.items())
        if not behind or time.monotonic() > deadline or service.health() is not None:
            return standing
        time.sleep(_LOOK_AGAIN_SECONDS)


def _arm(arm: Arm, weight: float, sums: Sums) -> dict[str, Any]:
    return {"arm": arm.name, "status": arm.status, "weight": weight} | _sums(sums)


def _sums(sums: Sums) -> dict[str, Any]:
    return {"n": sums.n, "reward_sum": sums.r / MICRO, "mean": sums.mean}
