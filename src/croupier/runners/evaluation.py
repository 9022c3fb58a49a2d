"""Off-policy evaluation of one log: survey, learn, tally, answer."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from croupier.config.errors import ConfigError
from croupier.core.arms.bernoulli import Beta
from croupier.core.arms.gaussian import NormalInverseGamma
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import Reading
from croupier.core.evaluate.answer import Answer, Estimate
from croupier.core.evaluate.diagnostics import ROUNDING, Diagnostics
from croupier.core.evaluate.estimators import ESTIMATORS
from croupier.core.evaluate.intervals import Limits
from croupier.core.evaluate.replay import replay
from croupier.core.evaluate.rounds import columns
from croupier.core.evaluate.sequences import ALPHA, Interval, Moments, mean_interval
from croupier.core.evaluate.survey import Survey
from croupier.core.evaluate.tally import Tally
from croupier.core.evaluate.targets import Logged, Target, heaviest_weight, rounds_of
from croupier.core.policies.base import Allocation
from croupier.ports import TrialLog, WrongRow

MOST_WRONG = 0.01
"""So many of the rows may be unreadable; those that are may be unlike the others."""


class Terms(NamedTuple):
    """What is stated about the log: rewards' bounds, least propensity, and the error allowed."""

    low: float = 0.0
    high: float = 1.0
    least: float | None = None
    alpha: float = ALPHA


class Evaluation:
    """One log under stated terms; each question is one more reading of it."""

    def __init__(
        self, log: TrialLog, terms: Terms, progress: Callable[[int], None] = lambda _: None
    ) -> None:
        self._log, self._progress = log, progress
        self.survey = Survey.of(self._parts(), log)
        self.wrong_rows = log.wrong_count
        self._check(terms)
        least = terms.least
        if least is None and self.survey.uniform:
            least = self.survey.least  # a uniform draw says itself how rare an arm can be
        self._terms = terms._replace(least=least)

    def with_floor(self, floor: float) -> None:
        """Take the logging policy's floor for the least propensity, unless the log says less."""
        least = self.survey.least
        if self._terms.least is None and 0 < floor <= least * (1 + ROUNDING):
            self._terms = self._terms._replace(least=min(floor, least))

    def answer(self, name: str, policy: str, target: Target, skip: int = 0) -> Answer:
        """Evaluate fixed probabilities on the rounds after the first `skip`."""
        tally, heaviest = Tally(), 0.0
        for part in self._parts(skip):
            if target.column and part.target is None:
                raise ConfigError("--policy: this log has no column with the target's probability")
            tally += Tally.of(columns(rounds_of(part, target, self.survey.model)))
            weight = heaviest_weight(part, target, self._terms.least)
            heaviest = max(heaviest, np.inf if weight is None else weight)
        limits = Limits(
            self._terms.low,
            self._terms.high,
            None if np.isinf(heaviest) or heaviest <= 0 else heaviest * (1 + 1e-6),
            self._terms.alpha,
        )
        diagnostics = Diagnostics.of(tally)
        refused = [*diagnostics.refusals(), *unread(self.wrong_rows, self.survey.rounds)]
        if limits.heaviest is not None and diagnostics.largest_weight > limits.heaviest:
            refused.append(
                f"one round weighs {diagnostics.largest_weight:.6g}; with propensities of at least "
                f"{self._terms.least} none could weigh more than {limits.heaviest:.6g}"
            )
        estimates = {
            key: Estimate.of(each.value(tally), each.interval(tally, limits))
            for key, each in ESTIMATORS.items()
            if tally.has(each.needs)
        }
        found = self._answer(name, policy, tally, skip)
        found.diagnostics, found.refused = diagnostics, refused
        found.estimates = None if refused else estimates
        found.refused_estimates = estimates if refused else None
        return found

    def learned(self, policy: Allocation, rounds: int, among: Sequence[int]) -> FloatArray:
        """The weights that a policy would publish of some arms after the first `rounds` rounds."""
        arms, left = len(self._log.arms), rounds
        sums = np.zeros((3, arms))
        for part in self._parts():
            arm, reward = part.arm[:left], part.reward[:left]
            for place, worth in enumerate((np.ones_like(reward), reward, reward**2)):
                sums[place] += np.bincount(arm, weights=worth, minlength=arms)
            left -= len(arm)
            if left <= 0:
                break
        weights, places = np.zeros(arms), list(among)
        weights[places] = self._weights(policy, *sums[:, places])
        return weights

    def replayed(self, name: str, said: str, policy: Allocation, seed: int) -> Answer:
        """Play a policy that learns down the log; refused unless arms were drawn uniformly."""
        found, survey = self._answer(name, said, self.survey.tally, 0), self.survey
        if not survey.uniform:
            reason = "no rounds to evaluate on"
            if survey.rounds:
                reason = (
                    f"replay needs uniform draws of {len(self._log.arms)} arms; propensities "
                    f"range from {survey.least:.3g} to {survey.most:.3g}"
                )
            found.refused = [reason]
            return found
        parts = [(part.arm, part.reward) for part in self._parts()]
        arm, reward = (np.concatenate(each) for each in zip(*parts, strict=True))
        draws = np.random.default_rng(seed).random(len(arm))
        tally = replay(
            arm, reward, len(self._log.arms), lambda *sums: self._weights(policy, *sums), draws
        ).tally
        estimate = Estimate.of(tally.mean("r"), self._interval(tally))
        found.refused = [
            *unread(self.wrong_rows, self.survey.rounds),
            *([] if tally.n else ["log and policy never agree"]),
        ]
        found.learned_from = tally.n
        found.estimates = None if found.refused else {"replay": estimate}
        found.refused_estimates = {"replay": estimate} if found.refused else None
        return found

    def _weights(
        self, policy: Allocation, n: FloatArray, r: FloatArray, r2: FloatArray
    ) -> FloatArray:
        reading = Reading(tuple(n.tolist()), tuple(r.tolist()), tuple(r2.tolist()))
        if self.survey.binary:
            return policy.publish(Beta.read(reading))
        posterior = NormalInverseGamma.read(reading, self._terms.low, self._terms.high)
        return policy.publish(posterior)

    def _parts(self, skip: int = 0) -> Iterator[Logged]:
        for part in self._log.parts():
            self._progress(len(part.arm))
            if len(part.arm) > skip:
                yield _rest(part, skip) if skip else part
            skip = max(skip - len(part.arm), 0)

    def _check(self, terms: Terms) -> None:
        found = self.survey
        if found.rounds and not (
            terms.low <= found.least_reward and found.tally.most("r") <= terms.high
        ):
            raise ConfigError(
                f"--rewards: the log's go from {found.least_reward:g} to {found.tally.most('r'):g},"
                f" outside {terms.low:g},{terms.high:g}: state the least and the largest possible"
            )

    def _interval(self, tally: Tally) -> Interval:
        moments = Moments(tally.n, tally.sum("r"), tally.sum("r2"))
        return mean_interval(moments, self._terms.low, self._terms.high, self._terms.alpha)

    def _answer(self, name: str, policy: str, tally: Tally, skip: int) -> Answer:
        return Answer(
            log=name,
            policy=policy,
            rounds=tally.n,
            logged=Estimate.of(tally.mean("r"), self._interval(tally)),
            confidence=1 - self._terms.alpha,
            wrong_rows=self.wrong_rows,
            wrong=told(self._log.wrong),
            left_out=dict(self._log.left_out),
            learned_from=skip,
        )


def unread(wrong: int, read: int) -> list[str]:
    """Why an answer is refused where so many rows could not be read beside those that could.

    >>> unread(1, 99), unread(2, 98)
    ([], ['2 of 100 rows could not be read'])
    """
    rows = wrong + read
    return [f"{wrong:,} of {rows:,} rows could not be read"] if wrong > MOST_WRONG * rows else []


def told(wrong: Iterable[WrongRow]) -> list[str]:
    """Rows that could not be used, a line each."""
    lines = (f"line {row.line}: {row.column}: {row.reason}" for row in wrong)
    return [line.replace(": : ", ": ") for line in lines]


def _rest(part: Logged, skip: int) -> Logged:
    return Logged(*(None if column is None else column[skip:] for column in part))  # type: ignore[arg-type]
