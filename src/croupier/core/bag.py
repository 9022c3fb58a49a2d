"""The slates that a request may be shown, and the draw from their bag."""

from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import blake2b
from struct import Struct

import numpy as np

from croupier.core.menu import Drawn
from croupier.core.rankings import Places

_SCALE = 2.0**-53
_NUMBERS = Struct(">8Q")
_ORDERS = 1_024


class Bag:
    """Rankings of equal chance, and a share of decisions that show a uniform shuffle instead.

    With K arms, s the shuffled share and c(a, j) the number of the R rankings that have arm a in
    slot j, P(a in slot j) = s/K + (1 − s)·c(a, j)/R. Where slots are `pooled`, the arms of the
    slate are put in a random order, each in each slot equally often, so that with C(a) the number
    of rankings that have a in any of the k slots P(a shown) = s·k/K + (1 − s)·C(a)/R, and
    P(a in slot j) is a k-th of that. Every number is a count over what was published.

    >>> bag = Bag((4, 7, 9), ("x", "y", "z"), np.array([[0, 1], [0, 2]]), 0.1, pooled=True)
    >>> [round(share, 4) for share in bag.inclusion]
    [0.9667, 0.5167, 0.5167]
    """

    def __init__(
        self,
        arms: Sequence[int],
        names: Sequence[str],
        ranks: Places,
        shuffled: float,
        *,
        pooled: bool,
    ) -> None:
        self.arms, self.names, self._pooled = tuple(arms), tuple(names), pooled
        rows, self._slots = ranks.shape
        self._places, self._ranks = ranks, ranks.tolist()
        self._shuffled, self._rows_a_point = shuffled, rows / (1.0 - shuffled or 1.0)
        count, slots = len(arms), range(self._slots)
        seen = np.stack([np.bincount(ranks[:, slot], minlength=count) for slot in slots], axis=1)
        chosen = (1.0 - shuffled) / rows
        self.inclusion = tuple(
            (shuffled * self._slots / count + chosen * seen.sum(axis=1)).tolist()
        )
        if pooled:
            by_slot = np.repeat(np.array(self.inclusion)[:, None] / self._slots, self._slots, 1)
            self._orders = _orders(self._slots)
        else:
            by_slot = shuffled / count + chosen * seen
        self._by_slot = by_slot.tolist()
        self._float32 = by_slot.astype(np.float32).tolist()
        self._included = np.minimum(self.inclusion, 1.0).astype(np.float32).tolist()

    def draw(self, digest: bytes) -> Drawn:
        """The slate that 64 hashed bytes fall on."""
        numbers = _NUMBERS.unpack(digest)
        point = (numbers[0] >> 11) * _SCALE
        if point < self._shuffled:
            places = self._shuffle(digest)
        else:
            row = int((point - self._shuffled) * self._rows_a_point)
            places = self._ranks[min(row, len(self._ranks) - 1)]
            if self._pooled:
                order = self._orders[numbers[1] % len(self._orders)]
                places = [places[slot] for slot in order]
        arms, names, by_slot, float32 = self.arms, self.names, self._by_slot, self._float32
        included = self._included
        return Drawn(
            tuple([arms[place] for place in places]),
            tuple([names[place] for place in places]),
            tuple([by_slot[place][slot] for slot, place in enumerate(places)]),
            tuple([float32[place][slot] for slot, place in enumerate(places)]),
            tuple([included[place] for place in places]) if self._pooled else (),
        )

    def tells(self, slate: Sequence[int], propensities: Sequence[float]) -> bool:
        """Whether these are the propensities of a slate (of arm numbers) that was drawn here."""
        place = {arm: at for at, arm in enumerate(self.arms)}
        return len(slate) == self._slots and all(
            arm in place and self._float32[place[arm]][slot] == propensities[slot]
            for slot, arm in enumerate(slate)
        )

    def choices(self, slate: Sequence[int]) -> list[float] | None:
        """P(arm in its slot | the arms above), slot by slot; None where slots are pooled.

        P(prefix of j) = s·(K − j)!/K! + (1 − s)·c/R with c the rankings that begin so.

        >>> bag = Bag((4, 7, 9), ("x", "y", "z"), np.array([[0, 1], [0, 2]]), 0.12, pooled=False)
        >>> [round(share, 4) for share in bag.choices((4, 9))]
        [0.92, 0.5]
        """
        if self._pooled:
            return None
        place, share, before = {arm: at for at, arm in enumerate(self.arms)}, self._shuffled, 1.0
        alike, found = np.ones(len(self._places), dtype=bool), []
        for slot, arm in enumerate(slate):
            alike &= self._places[:, slot] == place[arm]
            share /= len(self.arms) - slot
            prefix = share + (1.0 - self._shuffled) * float(alike.mean())
            found.append(prefix / before)
            before = prefix
        return found

    def heaviest(self) -> tuple[float, float]:
        """1 over the least that any (arm, slot), and any ranking, is shown with; may be infinite.

        >>> Bag((4, 7), ("x", "y"), np.array([[0, 1]]), 0.2, pooled=False).heaviest()
        (10.0, 10.0)
        """
        if not self._shuffled:
            return np.inf, np.inf
        count = len(self.arms)
        orders = float(np.prod(count - np.arange(self._slots, dtype=np.float64)))
        return count / self._shuffled, orders / self._shuffled

    def _shuffle(self, digest: bytes) -> list[int]:
        """The first slots of a uniform permutation of all arms.

        Source: Fisher & Yates 1938; Durstenfeld 1964, Algorithm 235.
        """
        places, dice = list(range(len(self.arms))), _stream(digest)
        for slot in range(self._slots):
            other = slot + int((next(dice) >> 11) * _SCALE * (len(places) - slot))
            places[slot], places[other] = places[other], places[slot]
        return places[: self._slots]


def _stream(digest: bytes) -> Iterator[int]:
    """Endless 64-bit numbers, hashed one block from the other."""
    while True:
        digest = blake2b(digest, digest_size=64, person=b"croupier-more").digest()
        yield from _NUMBERS.unpack(digest)


@cache
def _orders(slots: int) -> tuple[tuple[int, ...], ...]:
    """Orders of a slate in which each place comes to each slot equally often, exactly."""
    dice = np.random.Generator(np.random.PCG64(slots))
    shuffles = [dice.permutation(slots).tolist() for _ in range(max(1, _ORDERS // slots))]
    return tuple(
        tuple(shuffle[turn:] + shuffle[:turn]) for shuffle in shuffles for turn in range(slots)
    )
