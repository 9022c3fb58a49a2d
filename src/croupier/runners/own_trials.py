"""Croupier's own log as trials: an experiment's observations."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from croupier.config.backends import Backends
from croupier.core import codec
from croupier.core.barred import Barred, in_play
from croupier.core.declarations import Declarations
from croupier.core.evaluate.model import FOLDS
from croupier.core.evaluate.targets import Logged
from croupier.core.records import Observation
from croupier.core.reward import MICRO
from croupier.ports import OBSERVATIONS, WrongRow, entries_between


def barred_arms(backends: Backends, experiment: str) -> dict[int, Barred]:
    """The arms that guardrails took out, by number, as the newest snapshot says."""
    snapshot = backends.cache.latest(experiment)
    return {each.arm: each for each in (snapshot.barred if snapshot else ())}


class OwnTrials:
    """The trials of an experiment that trained: reason `policy`, newest reward version.

    Others are counted in `left_out`. All rounds of a unit are in one fold. Where slots are pooled,
    an observation is one of k shown arms, drawn with its inclusion propensity / k; else slots are
    positions.
    """

    def __init__(self, backends: Backends, declarations: Declarations, experiment: str) -> None:
        self._backends, self._experiment = backends, experiment
        declared = declarations.latest(experiment)
        self._reward_version = declared.reward_version
        self._names = {arm.number: arm.name for arm in declarations.arms(experiment).arms}
        self.spec = declared.spec
        self.barred = barred_arms(backends, experiment)
        self.active = [arm.name for arm in in_play(declarations.arms(experiment), self.barred)]
        # A bag's shares are counts: only of single weights the floor is the least for certain.
        single = self.spec.slots == 1
        self.floor = self.spec.policy.usable_floor(len(self._names)) if single else 0.0
        self.arms = {name: place for place, name in enumerate(self._names.values())}
        self._pool = self.spec.slots if self.spec.pools else 1
        slots = 1 if self.spec.pools else self.spec.slots
        self.positions = {str(slot): slot for slot in range(slots)}
        self.wrong: list[WrongRow] = []
        self.wrong_count = 0
        self.left_out: dict[str, int] = Counter()

    @property
    def why_barred(self) -> dict[str, str]:
        """The arms that guardrails took out, and why."""
        return {each.name: each.reason for each in self.barred.values()}

    def parts(self) -> Iterator[Logged]:
        """The trials in the order in which they closed."""
        self.left_out.clear()
        log = self._backends.log
        for entries in entries_between(log, OBSERVATIONS, {}, log.ends(OBSERVATIONS)):
            records = codec.decode_all(entry.payload for entry in entries)
            kept = [each for each in records if self._wanted(each)]
            if kept:
                yield self._part(kept)

    def _wanted(self, record: object) -> bool:
        if not isinstance(record, Observation) or record.experiment != self._experiment:
            return False
        if record.reason != "policy":
            self.left_out[record.reason] += 1
        elif record.reward_version != self._reward_version:
            self.left_out["an older reward"] += 1
        else:
            return True
        return False

    def _part(self, kept: list[Observation]) -> Logged:
        whole = [
            (self.arms[self._names[each.arm]], each.slot, int.from_bytes(each.unit[:8]) % FOLDS)
            for each in kept
        ]
        arm, slot, fold = np.array(whole, dtype=np.int64).T
        if self.spec.pools:
            slot = np.zeros_like(slot)
        reward, propensity = np.array([(each.reward / MICRO, each.propensity) for each in kept]).T
        return Logged(arm, slot, fold, reward, propensity / self._pool)
