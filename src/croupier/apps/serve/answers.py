"""What the hot doors answer."""

from itertools import zip_longest
from typing import Self

import msgspec

from croupier.apps.serve.ingest import Rejected
from croupier.core.decide import Choice


class Shown(msgspec.Struct, omit_defaults=True):
    """One slot of an answered slate; `inclusion` only where slots are pooled."""

    arm: str
    slot: int
    propensity: float
    inclusion: float | None = None


class Decided(msgspec.Struct, omit_defaults=True):
    """The answer to decide; `exposed` only where the request asked for it."""

    experiment: str
    tracking_id: str
    token: str
    version: int
    reason: str
    degraded: bool
    slate: list[Shown]
    exposed: bool | None = None

    @classmethod
    def of(cls, choice: Choice, token: str, exposed: bool | None = None) -> Self:  # noqa: FBT001
        """The answer that tells of a decision."""
        decision, names, shares = choice
        parts = zip_longest(names, range(len(names)), shares, decision.inclusions)
        return cls(
            experiment=decision.experiment,
            tracking_id=decision.tracking_id.hex(),
            token=token,
            version=decision.snapshot,
            reason=decision.reason,
            degraded=decision.degraded,
            slate=[Shown(*part) for part in parts],
            exposed=exposed,
        )


class Accepted(msgspec.Struct):
    """The answer to events: what is durable, and what was refused."""

    accepted: int
    rejected: list[Rejected]
