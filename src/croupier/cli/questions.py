"""From options to what an evaluation is asked: which log, which policy."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from croupier.cli.asked import (
    Asked,
    backends_of,
    bounds_of,
    check,
    chosen,
    columns_of,
    of_file,
    refuse_barred,
    some,
    wrong,
)
from croupier.cli.players import LEARNERS, policy_of
from croupier.config.trial_logs import open_trial_log, read_weights, trial_file
from croupier.core.evaluate.answer import Answer
from croupier.core.evaluate.shares import ShareCheck, Shares
from croupier.core.evaluate.targets import Target, always
from croupier.ports import TrialLog
from croupier.runners.declare import read_declarations
from croupier.runners.evaluation import Evaluation, Terms
from croupier.runners.own_trials import OwnTrials


class Question(NamedTuple):
    """A log, what is stated about it, and the policy; `learn` is None for a replay."""

    said: Asked
    log: TrialLog
    terms: Terms
    learn: float | None
    seed: int
    close: Callable[[], None]

    def answer(self, progress: Callable[[int], None]) -> Answer:
        """Read the log and answer; raises ConfigError, BadParameter for what cannot be asked."""
        name, policy = self.said.log.name, self.said.policy
        if self.said.part or self.said.experiment:
            name += f" {self.said.part or self.said.experiment}"
        kind = policy_of(policy)
        fixed = None if kind else self._weights()  # before reading: a missing file is told at once
        work = Evaluation(self.log, self.terms, progress)
        if isinstance(self.log, OwnTrials):
            work.with_floor(self.log.floor)
        names = self.log.arms if self.learn is None else self._playing()
        among = [self.log.arms[name] for name in names]
        if kind is None or not work.survey.rounds:
            return work.answer(name, policy, self._target(fixed))
        reason = kind.problem(len(among))
        if reason:
            raise wrong("--policy", f"{reason} with {len(among)} arms")
        if self.learn is None:
            return work.replayed(name, f"{policy}, replayed", kind, self.seed)
        first = int(work.survey.rounds * self.learn)
        weights = np.tile(work.learned(kind, first, among), (len(self.log.positions), 1))
        return work.answer(name, f"{policy}, learned", Target(weights), first)

    def check(self, progress: Callable[[int], None]) -> ShareCheck:
        """Whether arms were shown as often as the log says; BadParameter for our own data."""
        if isinstance(self.log, OwnTrials):
            raise wrong("--check", "of a data file, `croupier estimates` tells it by period")
        shares = Shares.of(self.log.parts(), progress)
        return shares.check(self.log.positions, list(self.log.arms), self.said.least)

    def _weights(self) -> dict[str, dict[str, float]] | None:
        """The weights in a file, when the policy is one; its arms are arms of the log, too."""
        policy = self.said.policy
        if policy in {"uniform", "logged", "column"} or policy.startswith("always:"):
            return None
        found = read_weights(_weights_file(self.said))
        shown = (arm for weights in found.values() for arm, weight in weights.items() if weight)
        self._refuse_barred(shown)
        for arm in (arm for weights in found.values() for arm in weights):
            self.log.arms.setdefault(arm, len(self.log.arms))
        return found

    def _target(self, fixed: dict[str, dict[str, float]] | None) -> Target:
        policy, arms, positions = self.said.policy, self.log.arms, self.log.positions
        if policy in {"logged", "column"}:
            return Target(None, as_logged=policy == "logged")
        if policy.startswith("always:"):
            return self._always(policy.removeprefix("always:"))
        if fixed is None:
            active = self._playing()
            fixed = {"": dict.fromkeys(active, 1.0 / max(1, len(active)))}
        weights = np.zeros((len(positions), len(arms)))
        for position, row in positions.items():
            known = fixed.get(position, fixed.get(""))
            if known is None:
                raise wrong("--policy", f"{self.said.policy} has no weights at {position!r}")
            for arm, weight in known.items():
                weights[row, arms[arm]] = weight
        return Target(weights)

    def _playing(self) -> list[str]:
        """The arms that a policy may show: of our own log neither removed nor barred ones."""
        return self.log.active if isinstance(self.log, OwnTrials) else list(self.log.arms)

    def _always(self, arm: str) -> Target:
        arms = self.log.arms
        if arm not in arms:
            raise wrong("--policy", f"{arm!r} is none of {some(list(arms))}")
        self._refuse_barred([arm])
        return always(arms[arm], len(self.log.positions), len(arms))

    def _refuse_barred(self, arms: Iterable[str]) -> None:
        if isinstance(self.log, OwnTrials):
            refuse_barred(arms, self.log.why_barred)


def question(said: Asked, learn: float | None, seed: int) -> Question:
    """Open the log and check what was said; BadParameter names the option, ConfigError the file."""
    check(said)
    if learn is None and policy_of(said.policy) is None:
        raise wrong("--replay", f"is for a policy that learns: {', '.join(LEARNERS)}")
    terms = Terms(*bounds_of(said), said.least, 1 - said.confidence)
    if of_file(said):
        log = open_trial_log(said.log, said.part, columns_of(said))
        return Question(said, log, terms, learn, seed, lambda: None)
    return _own(said, terms, learn, seed)


def _own(said: Asked, terms: Terms, learn: float | None, seed: int) -> Question:
    backends = backends_of(said)
    try:
        declarations = read_declarations(backends.log)
        own = OwnTrials(backends, declarations, chosen(said, declarations.names()))
    except BaseException:
        backends.close()
        raise
    if said.rewards is None:
        low, high = own.spec.reward.bounds
        terms = terms._replace(low=low, high=high)
    return Question(said, own, terms, learn, seed, backends.close)


def _weights_file(said: Asked) -> Path:
    """The file that a policy names: itself, or the action distribution of an Open Bandit log."""
    if said.log.is_dir() and "/" not in said.policy and "." not in said.policy:
        campaign = (said.part or "").replace("/", "_").rpartition("_")[2]
        file = trial_file(said.log, said.part).parent / f"{said.policy}_action_dist_{campaign}.csv"
        if file.exists():
            return file
    if not Path(said.policy).is_file():
        known = ", ".join(["uniform", "logged", "column", "always:ARM", *LEARNERS])
        raise wrong("--policy", f"{said.policy!r} is no file, and none of {known}")
    return Path(said.policy)
