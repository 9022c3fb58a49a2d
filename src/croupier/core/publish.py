"""Sums → snapshot: what the policy makes of what is known."""

from collections.abc import Mapping

import numpy as np
from msgspec.structs import replace

from croupier.core.arms.examination import attended, examination
from croupier.core.arms.posterior import read_posterior
from croupier.core.arms.strata import Strata
from croupier.core.arms.table import ArmTable
from croupier.core.doubts import doubted, slot_readings
from croupier.core.rankings import rank_arms
from croupier.core.records import ArmSet, Declaration
from croupier.core.snapshot import Snapshot, pack_ranks, publish_weights


def publish(
    declaration: Declaration,
    arms: ArmSet,
    tables: Mapping[int, ArmTable],
    version: int,
    at: int,
    watermark: int,
) -> Snapshot:
    """The snapshot of one experiment: its active arms, and what the policy makes of them.

    `tables` hold what is known, by slot; where slots are pooled all of it is in slot 0. An arm
    that was never tried has the prior; a removed arm is not in it. Where the reward is a
    surrogate, posteriors are as wide as its weights are uncertain, too.
    """
    spec = declaration.spec
    active = [arm for arm in arms.arms if arm.status == "active"]
    numbers = tuple(arm.number for arm in active)
    readings = slot_readings(spec, tables, numbers, watermark)
    seen = examination(readings) if spec.ranking == "position" else np.ones(len(readings))
    if spec.ranking != "slots":
        readings = [attended(readings, seen)]
    posteriors = [
        read_posterior(spec.posterior, reading, spec.reward, spec.prior) for reading in readings
    ]
    posteriors = doubted(spec, posteriors, tables, numbers, watermark, seen)
    slots = min(spec.slots, len(numbers))
    made = Snapshot(
        experiment=spec.name,
        version=version,
        at=at,
        declaration=declaration.version,
        reward_version=declaration.reward_version,
        watermark=watermark,
        arms=numbers,
        names=tuple(arm.name for arm in active),
        weights=publish_weights(spec.policy, posteriors[0]) if slots == 1 else (),
        posterior=posteriors[0],
        policy=spec.policy,
        pinned=arms.pinned,
        pinned_until=arms.pinned_until,
    )
    if slots == 1:
        return made
    slate = replace(
        made,
        slots=slots,
        ranking=spec.ranking,
        bag=spec.bag,
        further=tuple(posteriors[1:]),
        examination=tuple(seen.tolist()) if spec.ranking == "position" else (),
        diversity=spec.diversity,
        groups=() if spec.diversity is None else tuple(arm.group for arm in active),
    )
    strata = Strata.of(spec.name, numbers, spec.bag)
    ranks = rank_arms(spec.policy, posteriors, strata, spec.slots, slate.limited())
    ranked = replace(slate, rankings=pack_ranks(ranks))
    return replace(ranked, weights=tuple(ranked.menu().inclusion))
