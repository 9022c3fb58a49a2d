"""What is asked of the server, and what it answers, checked before believed."""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

_MOST_TEXT = 200


class CallError(Exception):
    """Why a call came to nothing: a short code for metrics, a sentence for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes
    retry_after: str | None


class Shown(NamedTuple):
    """One slot of a slate."""

    arm: str
    slot: int
    propensity: float


class Decided(NamedTuple):
    """What to show. `arm` is the first of the slate; `token` is what reports are made with.

    A declared default has `is_default`, no token, and in `reason` why it is one (see
    `Croupier.decide`); `detail` says it in words. A decision has the server's reason:
    policy, holdout, pinned or default.
    """

    arm: str
    token: str
    propensity: float
    reason: str
    is_default: bool
    experiment: str
    slate: tuple[Shown, ...]
    version: int = 0
    tracking_id: str = ""
    degraded: bool = False
    detail: str = ""


def write_request(
    unit: str, eligible: Iterable[str] | None, exclude: Iterable[str] | None
) -> bytes:
    """The body of a decide request.

    >>> write_request("u-17", None, {"install"})
    b'{"unit": "u-17", "exclude": ["install"]}'
    """
    request: dict[str, Any] = {"unit": unit}
    for name, arms in (("eligible", eligible), ("exclude", exclude)):
        if arms is not None:
            request[name] = arms if isinstance(arms, str) else list(arms)
    return json.dumps(request).encode()


def read_decided(answer: Answer, experiment: str) -> Decided:
    r"""The decision that an answer holds; CallError if it holds none.

    >>> read_decided(Answer(404, b'{"error":"no experiment \'x\' is declared"}', None), "x")
    Traceback (most recent call last):
    ...
    croupier.client.messages.CallError: 404: no experiment 'x' is declared
    """
    if answer.status != 200:
        raise _failure(answer)
    found = _json(answer.body)
    try:
        slate = tuple(
            Shown(_text(one["arm"]), int(one["slot"]), float(one["propensity"]))
            for one in found["slate"]
        )
        decided = Decided(
            arm=slate[0].arm,
            token=_text(found["token"]),
            propensity=slate[0].propensity,
            reason=_text(found["reason"]),
            is_default=False,
            experiment=found["experiment"],
            slate=slate,
            version=int(found["version"]),
            tracking_id=_text(found["tracking_id"]),
            degraded=bool(found["degraded"]),
        )
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise CallError("garbage", f"no decision: {error!r}"[:_MOST_TEXT]) from error
    if decided.experiment != experiment or not all(0 < one.propensity <= 1 for one in slate):
        raise CallError("garbage", "a decision that nobody asked for")
    return decided


def decided_at(decided: Decided) -> int | None:
    """The server's clock when it decided, in milliseconds: a tracking id begins with it."""
    try:
        return int(decided.tracking_id[:12], 16)
    except ValueError:
        return None


def read_settled(answer: Answer, size: int) -> dict[int, str]:
    """The events of a batch that were rejected, with the reason; CallError if that is not known.

    >>> body = b'{"accepted": 1, "rejected": [{"index": 1, "reason": "old"}]}'
    >>> read_settled(Answer(202, body, None), size=2)
    {1: 'old'}
    """
    if answer.status not in {200, 202}:
        raise _failure(answer)
    found = _json(answer.body)
    try:
        int(found["accepted"])
        rejected = {int(one["index"]): str(one["reason"]) for one in found["rejected"]}
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise CallError("garbage", f"no receipt: {error!r}"[:_MOST_TEXT]) from error
    return {place: why for place, why in rejected.items() if 0 <= place < size}


def _failure(answer: Answer) -> CallError:
    """`refused` only when the server itself says so, in its own form."""
    status = answer.status
    if not 400 <= status < 500 or status == 429:
        return CallError("server_error", f"status {status}")
    try:
        why = _text(_json(answer.body)["error"])[:_MOST_TEXT]
    except (CallError, LookupError, TypeError):
        return CallError("server_error", f"status {status}, not from Croupier")
    return CallError("refused", f"{status}: {why}")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise CallError("garbage", "the answer is not JSON") from error


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"expected a text, got {value!r}")
    return value
