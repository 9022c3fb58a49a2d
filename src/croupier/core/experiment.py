"""What an owner declares of an experiment, and what is wrong with it."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from croupier.core.arms.posterior import posterior_of
from croupier.core.arms.prior import Prior
from croupier.core.candidates.declared import Candidates
from croupier.core.diversity import Diversity, group_problems
from croupier.core.duration import HOUR, MINUTE, SECOND, format_duration
from croupier.core.guardrail import MOST_GUARDRAILS, Guardrail
from croupier.core.name import usable_name
from croupier.core.policies.registry import Policy
from croupier.core.policies.thompson import Thompson
from croupier.core.rankings import Ranking
from croupier.core.reward import Reward, Term

Sticky = Literal["session", "unit", "decision"]
PosteriorKind = Literal["auto", "beta", "count", "normal"]
MOST_ARMS = 65_535
MOST_SLOTS = 64
LEAST_BAG, MOST_BAG = 64, 16_384
LONGEST_ARM = 200

_WINDOWS = ("expose_within", "window", "lateness", "session")
SLATE_FIELDS = ("slots", "ranking", "groups", "diversity")
"""What a slate is: one made by an older snapshot is decided under what that was declared with."""
STORY_FIELDS = ("reward", "measured", *SLATE_FIELDS, *_WINDOWS, "timed")
"""A change of one of these starts a new declaration version: it moves or reshapes stories."""
REWARD_FIELDS = ("reward", "slots", "ranking", "window", "session")
"""A change of one of these starts a new reward version: numbers would no longer compare."""


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One bandit in production, as declared; durations in milliseconds.

    `session` is None when each decision is its own session; `arms` are empty where `candidates`
    say where they are listed. A story's horizon is
    expose_within + window + lateness, counted from its decision:

    >>> one = Experiment("b", ("x", "y"), "x", Reward({}))
    >>> one.horizon, one.longest_story
    (1260000, 2160000)
    """

    name: str
    arms: tuple[str, ...]
    default: str | tuple[str, ...]
    reward: Reward
    slots: int = 1
    ranking: Ranking = "pooled"
    bag: int = 1_024
    policy: Policy = Thompson()
    expose_within: int = 5 * MINUTE
    window: int = 15 * MINUTE
    lateness: int = MINUTE
    session: int | None = 15 * MINUTE
    refresh: int = 10 * SECOND
    sticky: Sticky = "session"
    holdout: float = 0.0
    surface: str = ""
    posterior: PosteriorKind = "auto"
    prior: Prior | None = None
    period: int = HOUR
    candidates: Candidates | None = None
    groups: dict[str, str] = {}
    diversity: Diversity | None = None
    guardrail: dict[str, Guardrail] | msgspec.UnsetType = msgspec.UNSET

    @property
    def defaults(self) -> tuple[str, ...]:
        """What callers show when we cannot be reached, slot by slot."""
        return (self.default,) if isinstance(self.default, str) else self.default

    @property
    def guardrails(self) -> dict[str, Guardrail]:
        """The outcomes that may not get worse, by name."""
        return {} if self.guardrail is msgspec.UNSET else self.guardrail

    @property
    def measured(self) -> dict[str, Reward]:
        """What is measured beside the reward: how, by the name under which it is kept."""
        return {each.column(name): each.reward for name, each in self.guardrails.items()}

    def uses(self, kind: str) -> list[Term]:
        """What an outcome kind counts for, in the reward or a guardrail; empty: for nothing."""
        valued = [self.reward, *(each.reward for each in self.guardrails.values())]
        return [each.terms[kind] for each in valued if kind in each.terms]

    @property
    def pools(self) -> bool:
        """Whether an arm earns the same in every slot of a slate."""
        return self.slots > 1 and self.ranking == "pooled"

    @property
    def horizon(self) -> int:
        """How long after its decision a record may still count, milliseconds."""
        return self.expose_within + self.window + self.lateness

    @property
    def longest_story(self) -> int:
        """H: from the first decision of a session to its observation, milliseconds."""
        return (self.session or 0) + self.horizon

    @property
    def timed(self) -> bool:
        """Whether it is noted when outcomes come: the policy corrects for their delay."""
        return self.policy.delay_corrected

    def problems(self) -> Iterator[tuple[str, str]]:
        """Everything that is wrong with the declaration, as (key, reason)."""
        yield from self._name_problems()
        yield from self._source_problems()
        yield from self._slate_problems()
        yield from self._reward_problems()
        yield from self._time_problems()
        if not 0 <= self.holdout < 1:
            yield "holdout", f"expected a share from 0 to below 1, got {self.holdout}"
        forgets = self.policy.sliding_window
        if forgets is not None and 0 < forgets < self.longest_story:
            least = format_duration(self.longest_story)
            yield (
                "policy.sliding_window",
                f"shorter than a story, {least}: trials would be forgotten before they count",
            )
        reason = self.policy.problem(len(self.arms)) if self.arms else None
        if reason:
            yield "policy", reason
        yield from self._belief_problems()
        yield from self._delay_problems()

    def _name_problems(self) -> Iterator[tuple[str, str]]:
        if not usable_name(self.name):
            yield "name", f"expected 1 to 64 letters, digits, '.', '_' or '-', got {self.name!r}"
        if len(self.arms) > MOST_ARMS:
            yield "arms", f"at most {MOST_ARMS} arms, got {len(self.arms)}"
        seen: set[str] = set()
        for arm in self.arms:
            if arm in seen:
                yield "arms", f"{arm!r} is named twice"
            if not 0 < len(arm) <= LONGEST_ARM or not arm.isprintable():
                yield "arms", f"expected 1 to {LONGEST_ARM} printable characters, got {arm[:40]!r}"
            seen.add(arm)

    def _source_problems(self) -> Iterator[tuple[str, str]]:
        if self.candidates is None:
            if not self.arms:
                yield "arms", "at least one arm is needed"
            return
        yield from ((f"candidates.{key}", reason) for key, reason in self.candidates.problems())
        if self.arms:
            yield "arms", "declare arms or candidates, not both"

    def _slate_problems(self) -> Iterator[tuple[str, str]]:
        for arm in self.defaults:
            if arm not in self.arms and self.candidates is None:
                yield "default", f"{arm!r} is not one of the arms"
        if not 1 <= self.slots <= MOST_SLOTS:
            yield "slots", f"expected 1 to {MOST_SLOTS}, got {self.slots}"
        elif self.arms and self.slots > len(self.arms):
            yield "slots", f"{self.slots} slots need as many arms, got {len(self.arms)}"
        elif len(set(self.defaults)) != len(self.defaults) or len(self.defaults) != self.slots:
            arms = "the name of an arm" if self.slots == 1 else f"{self.slots} different arms"
            yield "default", f"expected {arms}, got {', '.join(self.defaults)[:200]!r}"
        listed = self.arms if self.candidates is None else None
        yield from (("groups", reason) for reason in group_problems(self.groups, listed))
        if self.diversity is not None:
            yield from self.diversity.problems(self.slots, self.defaults, self.groups)
        if not LEAST_BAG <= self.bag <= MOST_BAG:
            yield "bag", f"expected {LEAST_BAG} to {MOST_BAG} rankings, got {self.bag}"

    def _reward_problems(self) -> Iterator[tuple[str, str]]:
        if not self.reward.terms:
            yield "reward", "at least one outcome kind is needed, such as { click = 1.0 }"
        yield from self.reward.problems()
        if len(self.guardrails) > MOST_GUARDRAILS:
            yield "guardrail", f"at most {MOST_GUARDRAILS} guardrails, got {len(self.guardrails)}"
        for name, each in self.guardrails.items():
            if not usable_name(name):
                yield f"guardrail.{name}", "not a name: letters, digits, '.', '_' or '-'"
            yield from ((f"guardrail.{name}.{key}", why) for key, why in each.problems())

    def _belief_problems(self) -> Iterator[tuple[str, str]]:
        if self.posterior == "beta" and not self.reward.binary:
            yield "posterior", '"beta" needs a reward of one kind with weight 1 and cap 1'
        elif self.posterior == "count" and self.reward.unit is None:
            yield "posterior", '"count" needs kinds that are counted, all of one weight above 0'
        elif self.prior is not None and self.reward.usable:
            kind = posterior_of(self.posterior, self.reward)
            yield from self.prior.problems(kind, *self.reward.bounds)

    def _delay_problems(self) -> Iterator[tuple[str, str]]:
        own = self.policy
        adjusts = isinstance(own, Thompson) and (own.deconfounded or own.overdispersed)
        checks = {
            "needs a reward of one kind with weight 1 and cap 1": not self.reward.binary,
            'needs session = "none": what is open is counted by decision': self.session is not None,
            "gains nothing with a window under 1h": self.window < HOUR,
            "does not go with a cascade": self.ranking == "cascade",
            "goes with neither deconfounded nor overdispersed": adjusts,
        }
        wrongs = [reason for reason, wrong in checks.items() if wrong and self.timed]
        yield from (("policy.delay_corrected", reason) for reason in wrongs)

    def _time_problems(self) -> Iterator[tuple[str, str]]:
        for key in ("expose_within", "window", "refresh", "period"):
            if getattr(self, key) <= 0:
                yield key, "must be longer than 0"
        if self.lateness < 0:
            yield "lateness", "must not be negative"
        if self.session is not None and self.session <= 0:
            yield "session", 'must be longer than 0, or "none"'
