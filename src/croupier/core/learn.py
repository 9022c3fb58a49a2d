"""Observations → sums: the arithmetic of learning."""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Self

from croupier.core.arms.groups import group_stratum
from croupier.core.arms.maturing import delay_stratum
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.declarations import Declarations
from croupier.core.duration import DAY
from croupier.core.records import Imported, Observation, TimedObservation
from croupier.core.signals import signal_of

STRATA = ("policy", "holdout")
"""Decisions whose trials have sums; of these only `policy` trains. What guardrails measure, and
the signals of a surrogate, have sums beside them, in the stratum "policy:name" or "holdout:name",
with Σ over it in place of r."""

IMPORTED = "imported"
"""The stratum of trials that were added up elsewhere, and are in `policy`, too."""

EVER = 2**62
"""The length of a period that holds all time, milliseconds."""

Counts = dict[tuple[str, str], int]
"""How many, by experiment and what: observations, imported, repeat, holdout, pinned, default."""


class Learned:
    """What a batch of observations adds: sums by state key, and counts."""

    def __init__(self) -> None:
        self.sums: dict[StateKey, Sums] = {}
        self.counts: Counts = defaultdict(int)

    def add(self, observation: Observation, period: int) -> None:
        """Take one observation; `period` is the length of a bucket, milliseconds."""
        experiment, reason = observation.experiment, observation.reason
        if observation.repeats:
            self.counts[experiment, "repeat"] += observation.repeats
        self.counts[experiment, "observations" if reason == "policy" else reason] += 1
        if reason in STRATA:
            key = _key(observation, reason, period)
            self._add(key, observation.reward, observation.propensity)
            for name, value in observation.measured.items():
                measured = key._replace(stratum=f"{reason}:{name}")
                self._add(measured, value, observation.propensity)

    def _add(self, key: StateKey, value: int, propensity: float) -> None:
        trial, known = Sums.of(value, propensity), self.sums.get(key)
        self.sums[key] = trial if known is None else known + trial

    def add_to_group(self, observation: Observation) -> None:
        """Take one observation once more, for the group of its unit: over all time, w = 1/√p.

        Groups stand beside the sums of their stratum, and tell how far units that return scatter.
        """
        reason = observation.reason
        if reason not in STRATA:
            return
        key = _key(observation, group_stratum(observation.unit, reason), EVER)
        share = math.sqrt(observation.propensity)
        self._add(key, observation.reward, share)
        for name, value in observation.measured.items():
            if not signal_of(name):
                self._add(key._replace(stratum=f"{key.stratum}:{name}"), value, share)

    def add_delay(self, observation: TimedObservation, window: int) -> None:
        """Note when the first outcome of a trial that trains came, by day.

        It stands beside the sums that anything is estimated from, in a stratum of its own.
        """
        if observation.delay < 0 or observation.reason != "policy":
            return
        key = _key(observation, delay_stratum(observation.delay, window), DAY)
        self._add(key, observation.reward, observation.propensity)

    def add_imported(self, past: Imported, period: int) -> None:
        """Take past trials that were added up elsewhere; they train, so their stratum is policy.

        They stand in `imported`, too: nobody drew them beside ours.
        """
        start = past.at // period * period
        key = StateKey(past.experiment, past.arm, past.slot, past.reward_version, "policy", start)
        sums = Sums.decode(past.sums)
        for place in (key, key._replace(stratum=IMPORTED)):
            self.sums[place] = self.sums.get(place, Sums()) + sums
        self.counts[past.experiment, "imported"] += sums.n

    def __iadd__(self, other: "Learned") -> Self:
        """Take what another batch adds."""
        for key, sums in other.sums.items():
            self.sums[key] = self.sums.get(key, Sums()) + sums
        for place, count in other.counts.items():
            self.counts[place] += count
        return self


def _key(observation: Observation, stratum: str, length: int) -> StateKey:
    """Where a trial is added up, in periods of this length, milliseconds."""
    return StateKey(
        observation.experiment,
        observation.arm,
        observation.slot,
        observation.reward_version,
        stratum,
        observation.at // length * length,
    )


def absorb(records: Iterable[Observation | Imported], declarations: Declarations) -> Learned:
    """The sums and counts of a batch; batches add up to the same in any order."""
    learned = Learned()
    for record in records:
        spec = declarations.latest(record.experiment).spec
        if isinstance(record, Imported):
            learned.add_imported(record, spec.period)
        else:
            learned.add(record, spec.period)
            if declarations.need(record.experiment, record.declaration).spec.grouped:
                learned.add_to_group(record)
            if isinstance(record, TimedObservation):
                learned.add_delay(record, _window(record, declarations))
    return learned


def _window(record: Observation, declarations: Declarations) -> int:
    """The window that it was valued under: a refill may have done that anew, of an older story."""
    for each in reversed([*declarations.versions(record.experiment)]):
        if each.reward_version == record.reward_version:
            return each.spec.window
    return declarations.need(record.experiment, record.declaration).spec.window
