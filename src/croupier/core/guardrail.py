"""An outcome that may not get worse: how it is measured, and by how much it may."""

import math
from collections.abc import Iterator
from hashlib import blake2b
from typing import Literal

import msgspec

from croupier.core.reward import Reward

Worse = Literal["more", "less"]
"""Which way is worse: more of it (refunds), or less (purchases)."""

MOST_GUARDRAILS = 16
"""How many an experiment may have: the error is shared between them."""


class Guardrail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A second outcome, valued like a reward; `margin` is the non-inferiority margin a trial.

    An arm breaks it when its mean is worse than the default's by more than the margin, beyond
    doubt.

    >>> from croupier.core.reward import Term
    >>> one = Guardrail(Reward({"unsubscribe": Term(1.0)}), margin=0.002)
    >>> one.column("unsubscribe"), list(one.problems())
    ('unsubscribe:ac42abab', [])
    """

    reward: Reward
    margin: float
    worse: Worse = "more"

    def column(self, name: str) -> str:
        """The name under which values are kept: what is measured otherwise never mixes with it."""
        text = msgspec.json.encode(self.reward, order="sorted")
        return f"{name}:{blake2b(text, digest_size=4).hexdigest()}"

    def problems(self) -> Iterator[tuple[str, str]]:
        """What is wrong with the declaration, as (key, reason)."""
        if not self.reward.terms:
            yield "reward", "at least one outcome kind is needed, such as { refund = 1.0 }"
        yield from self.reward.problems()
        if not (math.isfinite(self.margin) and self.margin >= 0):
            yield "margin", f"expected a number from 0, got {self.margin}"
        elif self.reward.usable:
            low, high = self.reward.bounds
            if self.margin >= high - low:
                yield "margin", f"a trial can differ by {high - low:g} at most: nothing would break"
