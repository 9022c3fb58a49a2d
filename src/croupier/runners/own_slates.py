"""Croupier's own log as slates: the sessions of an experiment with several slots."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from croupier.config.backends import Backends
from croupier.core import codec
from croupier.core.bag import Bag
from croupier.core.barred import in_play
from croupier.core.declarations import Declarations
from croupier.core.evaluate.model import FOLDS
from croupier.core.evaluate.slates import Slates
from croupier.core.records import Decision, Funnel
from croupier.core.reward import MICRO
from croupier.core.session import SessionFold, SessionKey, first_seen
from croupier.ports import FUNNELS, WrongRow, entries_between
from croupier.runners.own_trials import barred_arms

_UNCOUNTED = "how likely an arm was, given the arms above it, cannot be counted"
POOLED = f'slots are "pooled", arms stand in a random order: {_UNCOUNTED}'
LIMITED = f"some slates were drawn under limits of groups (diversity): {_UNCOUNTED}"

Row = tuple[list[int], int, list[float], list[float], list[float] | None]


class OwnSlates:
    """The slates that sessions were trials of: reason `policy`, newest reward, all slots filled.

    Others are counted in `left_out`. A slot that was not seen has earned 0. How likely a slate was,
    slot by slot and given what stands above, is counted over the rankings of the snapshot that it
    was drawn from; where that says another number than the decision, the request was restricted.
    """

    def __init__(self, backends: Backends, declarations: Declarations, experiment: str) -> None:
        self._backends, self._declarations = backends, declarations
        self._declared, self._name = declarations.latest(experiment), experiment
        self.spec = self._declared.spec
        known = declarations.arms(experiment).arms
        self.arms = {arm.name: arm.number for arm in known}
        self._groups = {arm.name: arm.group for arm in known}
        barred = barred_arms(backends, experiment)
        self.why_barred = {each.name: each.reason for each in barred.values()}
        playing = in_play(declarations.arms(experiment), barred)
        self.active = tuple(arm.number for arm in playing)
        self.slots, self.bounds, self.rows = self.spec.slots, self.spec.reward.bounds, 0
        self.uncounted = POOLED if self.spec.pools else LIMITED
        self.wrong: list[WrongRow] = []
        self.wrong_count = 0
        self.left_out: dict[str, int] = Counter()
        self.heaviest = (1.0, 1.0)
        self._bags: dict[int, Bag | None] = {}

    def forbidden(self, slate: Sequence[str]) -> Iterator[str]:
        """Why limits of groups never let these arms be shown together."""
        if self.spec.diversity is not None:
            yield from self.spec.diversity.crowded(slate, self._groups)

    def read(self) -> Slates | None:
        """All of them; None when there is none."""
        rows = list(self._rows())
        if not rows:
            return None
        arm, fold, reward, slot, choice = zip(*rows, strict=True)
        told = None if None in choice else np.array(choice)
        return Slates(np.array(arm), np.array(fold), np.array(reward), np.array(slot), told)

    def _rows(self) -> Iterator[Row]:
        fold, sessions = SessionFold(self._declarations), dict[SessionKey, dict[bytes, Funnel]]()
        log, watermark = self._backends.log, self._backends.states.load(strata=()).watermark
        for entries in entries_between(log, FUNNELS, {}, log.ends(FUNNELS)):
            for record in codec.decode_all(entry.payload for entry in entries):
                if isinstance(record, Funnel) and record.decision.experiment == self._name:
                    key = fold.key(record)
                    sessions[key] = fold.step(sessions.get(key), record)
        for key, state in sessions.items():
            decision = min(state.values(), key=first_seen).decision
            reason = self._unusable(decision, fold.deadline(key) > watermark)
            if reason:
                self.left_out[reason] += 1
                continue
            earned = {each.arm: each.reward / MICRO for each in fold.close(key, state)}
            bag = self._bags[decision.snapshot]
            assert bag is not None
            yield (
                list(decision.slate),
                int.from_bytes(decision.unit[:8]) % FOLDS,
                [earned.get(arm, 0.0) for arm in decision.slate],
                list(decision.propensities),
                bag.choices(decision.slate),
            )

    def _unusable(self, one: Decision, is_open: bool) -> str:  # noqa: FBT001
        """Why a slate is left out; empty when it is not."""
        if is_open:
            return "still open"
        if one.reason != "policy":
            return one.reason
        told = self._declarations.need(self._name, one.declaration)
        if told.reward_version != self._declared.reward_version:
            return "an older reward"
        if len(one.slate) != self.spec.slots:
            return "a slate with empty slots"
        bag = self._bag(one.snapshot)
        if bag is None:
            return "a snapshot that is no longer kept"
        return "" if bag.tells(one.slate, one.propensities) else "a restricted request"

    def _bag(self, version: int) -> Bag | None:
        if version not in self._bags:
            found = self._backends.cache.history(self._name, 1, version + 1)
            menu = found[0].menu() if found and found[0].version == version else None
            self._bags[version] = menu if isinstance(menu, Bag) else None
            if isinstance(menu, Bag):
                pairs = zip(self.heaviest, menu.heaviest(), strict=True)
                slot, whole = (max(pair) for pair in pairs)
                self.heaviest = slot, whole
        return self._bags[version]
