"""What an owner declares of an experiment."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from croupier.core.arms.prior import Prior
from croupier.core.candidates.declared import Candidates
from croupier.core.diversity import Diversity
from croupier.core.duration import HOUR, MINUTE, SECOND
from croupier.core.guardrail import Guardrail
from croupier.core.policies.registry import Policy
from croupier.core.policies.thompson import Thompson
from croupier.core.rankings import Ranking
from croupier.core.reward import Reward, Term
from croupier.core.signals import Signal, Signals, signal_column

Sticky = Literal["session", "unit", "decision"]
PosteriorKind = Literal["auto", "beta", "count", "normal"]
MOST_ARMS = 65_535
MOST_SLOTS = 64
LEAST_BAG, MOST_BAG = 64, 16_384
LONGEST_ARM = 200

_WINDOWS = ("expose_within", "window", "lateness", "session")
SLATE_FIELDS = ("slots", "ranking", "groups", "diversity")
"""What a slate is: one made by an older snapshot is decided under what that was declared with."""
STORY_FIELDS = ("reward", "measured", *SLATE_FIELDS, *_WINDOWS, "timed", "grouped")
"""A change of one of these starts a new declaration version: it moves or reshapes stories,
or what is kept of them."""
REWARD_FIELDS = ("reward", "counted", "slots", "ranking", "window", "session")
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
    surrogate: dict[str, Signal] | msgspec.UnsetType = msgspec.UNSET

    def differs(self, other: "Experiment", fields: Iterable[str]) -> bool:
        """Whether one of these fields is another one there."""
        return any(getattr(self, field) != getattr(other, field) for field in fields)

    def changed(self, other: "Experiment") -> list[str]:
        """The settings that differ."""
        return [field for field in self.__struct_fields__ if self.differs(other, (field,))]

    @property
    def defaults(self) -> tuple[str, ...]:
        """What callers show when we cannot be reached, slot by slot."""
        return (self.default,) if isinstance(self.default, str) else self.default

    @property
    def guardrails(self) -> dict[str, Guardrail]:
        """The outcomes that may not get worse, by name."""
        return {} if self.guardrail is msgspec.UNSET else self.guardrail

    @property
    def signals(self) -> Signals:
        """The kinds whose weights in the reward were fitted; none where it is no surrogate."""
        return {} if self.surrogate is msgspec.UNSET else self.surrogate

    @property
    def counted(self) -> frozenset[str]:
        """The signals that each trial's sums hold; how uncertain their weights are is read anew."""
        return frozenset(self.signals)

    @property
    def measured(self) -> dict[str, Reward]:
        """What is measured beside the reward: how, by the name under which it is kept."""
        found = {each.column(name): each.reward for name, each in self.guardrails.items()}
        return found | {signal_column(kind): self.reward.counting(kind) for kind in self.signals}

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
    def grouped(self) -> bool:
        """Whether sums are kept by group of units too: a unit that returns meets the same again.

        It does where draws stick to units, and where some are held out, for as long as they come.
        """
        return self.sticky == "unit" or self.holdout > 0

    @property
    def timed(self) -> bool:
        """Whether it is noted when outcomes come: the policy corrects for their delay."""
        return self.policy.delay_corrected
