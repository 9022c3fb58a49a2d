"""What is read of arms by slot; and what fitted weights leave in doubt of them."""

from collections.abc import Mapping, Sequence

import numpy as np

from croupier.core.arms.examination import attended
from croupier.core.arms.gaussian import NormalInverseGamma
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.posterior import Posterior
from croupier.core.arms.sums import Reading
from croupier.core.arms.table import ArmTable
from croupier.core.experiment import Experiment
from croupier.core.signals import Doubt

Tables = Mapping[int, ArmTable]
"""What is known, by slot; where slots are pooled all of it is in slot 0."""


def slot_readings(
    spec: Experiment, tables: Tables, arms: Sequence[int], watermark: int, signal: str = ""
) -> list[Reading]:
    """What the policy reads of these arms in each slot: of the reward, or of one signal."""
    bounds = (spec.reward.counting(signal) if signal else spec.reward).bounds
    none, found = ArmTable(), []
    for slot in range(1 if spec.ranking == "pooled" else spec.slots):
        table = tables.get(slot, none)
        read = table.signals.get(signal, none) if signal else table
        found.append(spec.policy.reading(read, arms, watermark, spec.period, bounds))
    return found


def doubted(
    spec: Experiment,
    posteriors: list[Posterior],
    tables: Tables,
    arms: Sequence[int],
    watermark: int,
    seen: FloatArray,
) -> list[Posterior]:
    """The posteriors, each arm's as uncertain as the weights of its reward leave it, too.

    Mean signals are read as rewards are: aged alike, deconfounded alike, and where one posterior is
    made of all slots, from all of them as often as they are `seen`. An arm without trials has the
    prior, whatever the weights are.
    """
    if not spec.signals:
        return posteriors
    doubt, means = Doubt.of(spec.signals), []
    for place, kind in enumerate(spec.signals):
        readings = slot_readings(spec, tables, arms, watermark, kind)
        if spec.ranking != "slots":
            readings = [attended(readings, seen)]
        n, x = (np.array([getattr(each, name) for each in readings]) for name in ("n", "r"))
        unknown = np.full_like(x, doubt.middle[place])
        means.append(np.divide(x, n, out=unknown, where=n > 0))
    variances = doubt.variance(np.stack(means, axis=-1))
    return [
        each.widened(variance) if isinstance(each, NormalInverseGamma) else each
        for each, variance in zip(posteriors, variances, strict=True)
    ]
