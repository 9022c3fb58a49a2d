"""Past trials added up elsewhere: what a row must be, and its exact sums."""

from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b
from typing import Annotated

import msgspec

from croupier.core.arms.sums import Sums
from croupier.core.reward import MICRO, Reward

MOST_TRIALS = 10**12
"""The largest n of one row."""

LEAST_PROPENSITY = 1e-6
_MOST_DIGITS, _MOST = 60, Decimal("1e36")
_SLACK = 10**9

Number = Annotated[Decimal, msgspec.Meta(extra_json_schema={"type": "number", "format": "double"})]


class PastTrials(msgspec.Struct, forbid_unknown_fields=True):
    """One row of an import: n trials of an arm, Σr, Σr² where it does not follow, and when.

    `at` is in milliseconds since 1970 or ISO 8601, UTC where no zone is said. `propensity` is the
    share with which these trials were drawn, 1 where it is not known.
    """

    arm: str
    n: int
    reward_sum: Number
    reward_square_sum: Number | None = None
    at: int | str | None = None
    slot: int = 0
    propensity: float = 1.0
    experiment: str | None = None


class RowError(ValueError):
    """Why a row is refused, and in which column."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column = column


def sums_of(row: PastTrials, reward: Reward) -> Sums:
    """The exact sums of a row, with w = 1/propensity for each of its trials.

    A trial earns between L and H, so n·L ≤ Σr ≤ n·H and (Σr)²/n ≤ Σr² ≤ (L + H)·Σr − n·L·H, the
    right one because (r − L)(H − r) ≥ 0. Where a reward has only two values, or there is one
    trial, Σr² follows; elsewhere it must be given. RowError names what cannot be.

    >>> from croupier.core.reward import Term
    >>> row = PastTrials("install", 1000, Decimal("41"))
    >>> sums = sums_of(row, Reward({"click": Term(1.0)}))
    >>> sums.n, sums.r / MICRO, sums.r2 / MICRO**2, sums.mean
    (1000, 41.0, 41.0, 0.041)
    """
    n = row.n
    if not 1 <= n <= MOST_TRIALS:
        raise RowError("n", f"expected a whole number from 1 to {MOST_TRIALS}, got {n}")
    if not LEAST_PROPENSITY <= row.propensity <= 1:
        raise RowError("propensity", f"expected a share from {LEAST_PROPENSITY:g} to 1")
    low, high = (round(bound * MICRO) for bound in reward.bounds)
    r = _whole(row.reward_sum, MICRO, "reward_sum")
    if not n * low <= r <= n * high:
        raise RowError(
            "reward_sum",
            f"a mean of {r / n / MICRO:g} cannot be: a trial earns from {low / MICRO:g} "
            f"to {high / MICRO:g}",
        )
    r2 = _squares(row, n, r, reward)
    w = round(MICRO / row.propensity)
    return Sums(n, r, r2, n * w, n * w * w, w * r, w * w * r, w * w * r2)


def cell_id(key: str, experiment: str, arm: int, at: int | None, row: PastTrials) -> bytes:
    """What a row is about: 16 bytes that are the same however often, and in which order, it comes.

    Under one key a cell (experiment, arm, slot, at as written, propensity) is added once. The
    numbers are not part of it, so that a row which was added and is then sent with other numbers
    is not added on top; nor is its place, so that rows may be taken out and put in.
    """
    return _digest((key, experiment, arm, row.slot, at, row.propensity))


def content_id(cell: bytes, sums: Sums) -> bytes:
    """What a row says of its cell, 16 bytes: tells a repetition from a contradiction."""
    return _digest((cell, sums.encode()))


def _digest(parts: tuple[object, ...]) -> bytes:
    return blake2b(msgspec.msgpack.encode(parts), digest_size=16, person=b"import").digest()


def _squares(row: PastTrials, n: int, r: int, reward: Reward) -> int:
    """Σr² in 10⁻¹²: given and possible, or what follows from the rest."""
    low, high = (round(bound * MICRO) for bound in reward.bounds)
    least, most = -(-r * r // n), (low + high) * r - n * low * high
    if n == 1:
        most = least
    if _two_valued(reward):
        worth = high or low
        if r % worth:
            raise RowError(
                "reward_sum", f"not a multiple of {worth / MICRO:g}, which is all a trial can earn"
            )
        least = most
    if row.reward_square_sum is None:
        if least < most:
            raise RowError(
                "reward_square_sum", "needed: with this reward it does not follow from reward_sum"
            )
        return most
    given = _whole(row.reward_square_sum, MICRO**2, "reward_square_sum")
    slack = max(abs(most) // _SLACK, n)
    if not least - slack <= given <= most + slack:
        raise RowError(
            "reward_square_sum",
            f"{given / MICRO**2:g} cannot be: with this n and reward_sum it lies between "
            f"{least / MICRO**2:g} and {most / MICRO**2:g}",
        )
    return min(max(given, least), most)


def _two_valued(reward: Reward) -> bool:
    """Whether a trial earns either nothing or one certain amount."""
    (*terms,) = reward.terms.values()
    return len(terms) == 1 and terms[0].of == "count" and terms[0].cap == 1


def _whole(value: Decimal, scale: int, column: str) -> int:
    """The number in units of 1/scale, rounded to the nearest."""
    usable = value.is_finite() and value.copy_abs() <= _MOST
    if not usable or len(value.as_tuple().digits) > _MOST_DIGITS:
        raise RowError(column, "not a usable number")
    if not value or value.adjusted() < -_MOST_DIGITS:
        return 0
    return round(Fraction(value) * scale)
