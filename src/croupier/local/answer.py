"""A call as the server would read it, and its answer as a client would."""

from collections.abc import Iterable

import msgspec

from croupier.apps.serve.service import DecideRequest
from croupier.client import Decided, Shown
from croupier.core.decide import Choice


def make_request(
    unit: str, eligible: Iterable[str] | None, exclude: Iterable[str] | None
) -> DecideRequest:
    """The request, checked as the server checks it; msgspec.ValidationError says what is wrong.

    >>> make_request("u-17", None, {"install"}).exclude
    ['install']
    """
    said = {"unit": unit, "eligible": _listed(eligible), "exclude": _listed(exclude)}
    return msgspec.convert(said, DecideRequest)


def tell(choice: Choice, token: str) -> Decided:
    """The answer that a client would read from the server."""
    decision, names, shares = choice
    return Decided(
        arm=names[0],
        token=token,
        propensity=shares[0],
        reason=decision.reason,
        is_default=False,
        experiment=decision.experiment,
        slate=tuple(map(Shown, names, range(len(names)), shares)),
        version=decision.snapshot,
        tracking_id=decision.tracking_id.hex(),
        degraded=decision.degraded,
    )


def _listed(arms: Iterable[str] | None) -> object:
    return arms if arms is None or isinstance(arms, str) else list(arms)
