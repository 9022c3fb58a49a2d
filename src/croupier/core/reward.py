"""What outcomes are worth: weighted, capped counts and amounts of any kinds."""

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from croupier.core.name import A_NAME, usable_name

MICRO = 1_000_000
"""Rewards, values and inverse propensities are kept as whole millionths."""

MOST_IDS = 256
"""Outcomes with ids that one (decision, arm, kind) keeps; a cap may not exceed it."""

MOST_REWARD = 1e9
"""The largest reward of one trial, so that sums of it can be written anywhere."""

Tally = tuple[int, int]
"""How often a kind happened, and the sum of its values in millionths."""


class Term(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What one outcome kind adds: weight·min(count, cap), or weight·min(Σ value, max)."""

    weight: float
    of: Literal["count", "value"] = "count"
    cap: int = 1
    max: float | None = None

    def worth(self, tally: Tally) -> int:
        """The reward of a tally, in millionths, rounded half up.

        >>> Term(5.0, cap=2).worth((3, 0)), Term(0.01, of="value", max=500).worth((1, 800 * MICRO))
        (10000000, 5000000)
        """
        weight = round(self.weight * MICRO)
        if self.of == "count":
            return weight * min(tally[0], self.cap)
        return (weight * min(tally[1], round((self.max or 0.0) * MICRO)) + MICRO // 2) // MICRO

    def problem(self) -> str | None:
        """Why this term cannot be used, or None."""
        if not 0 < abs(self.weight) < 1e9:
            return "weight must be a finite number other than 0, below 1e9"
        exact = round(self.weight * MICRO) / MICRO
        checks = {
            "weight must be a multiple of 0.000001": exact == 0 or abs(exact - self.weight) > 1e-12,
            f"cap must be between 1 and {MOST_IDS}": not 1 <= self.cap <= MOST_IDS,
            'max goes with of = "value"': self.of == "count" and self.max is not None,
            'cap goes with of = "count"': self.of == "value" and self.cap != 1,
            'of = "value" needs max, the largest sum of values that counts': (
                self.of == "value" and not 0 < (self.max or 0.0) < 1e9
            ),
            f"a trial may earn or cost at most {MOST_REWARD:g}": (
                abs(self.weight) * (self.cap if self.of == "count" else self.max or 0.0)
                > MOST_REWARD
            ),
        }
        return next((reason for reason, wrong in checks.items() if wrong), None)


class Reward(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """r = Σ over kinds of what each adds; kinds that are not named are worth nothing.

    >>> Reward({"click": Term(1.0), "enrol": Term(5.0)}).of({"click": (2, 0), "enrol": (1, 0)})
    6000000
    """

    terms: dict[str, Term]

    def of(self, tallies: Mapping[str, Tally]) -> int:
        """The reward of one trial, in millionths."""
        return sum(
            self.terms[kind].worth(tally) for kind, tally in tallies.items() if kind in self.terms
        )

    def counting(self, kind: str) -> "Reward":
        """What one of its kinds counts, before it is weighed; caps are as they are.

        >>> Reward({"cart": Term(0.3, cap=2), "click": Term(1.0)}).counting("cart").bounds
        (0.0, 2.0)
        """
        return Reward({kind: msgspec.structs.replace(self.terms[kind], weight=1.0)})

    @property
    def binary(self) -> bool:
        """Whether a reward is provably 0 or 1: one kind, weight 1, counted once."""
        return list(self.terms.values()) == [Term(1.0)]

    @property
    def usable(self) -> bool:
        """Whether it names a kind, and no term has a problem."""
        return bool(self.terms) and not any(term.problem() for term in self.terms.values())

    def problems(self) -> Iterator[tuple[str, str]]:
        """What is wrong with it, as (key, reason)."""
        for kind, term in self.terms.items():
            reason = term.problem()
            if reason:
                yield f"reward.{kind}", reason
            if kind == "impression":
                yield (
                    f"reward.{kind}",
                    "not a name for an outcome kind: it says that an arm was seen",
                )
            elif not usable_name(kind):
                yield f"reward.{kind}", f"not a name for an outcome kind: expected {A_NAME}"
        if self.usable and max(map(abs, self.bounds)) > MOST_REWARD:
            yield "reward", f"a trial may earn or cost at most {MOST_REWARD:g}"

    @property
    def unit(self) -> float | None:
        """What each outcome earns, where all are counted and earn the same; None elsewhere.

        >>> Reward({"play": Term(0.5, cap=9), "save": Term(0.5)}).unit
        0.5
        """
        worth = {term.weight for term in self.terms.values() if term.of == "count"}
        alike = len(worth) == 1 and all(term.of == "count" for term in self.terms.values())
        return next((weight for weight in worth if weight > 0), None) if alike else None

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the largest reward that a trial can have."""
        most = [
            term.weight * (term.cap if term.of == "count" else (term.max or 0.0))
            for term in self.terms.values()
        ]
        return sum(min(0.0, x) for x in most), sum(max(0.0, x) for x in most)
