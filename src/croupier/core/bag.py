"""The slates that a request may be shown, and the draw from their bag."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from croupier.core.diversity import Groups
from croupier.core.lots import NUMBERS, SCALE, Lots
from croupier.core.menu import Drawn
from croupier.core.rankings import Places

_ORDERS = 1_024


class Bag:
    """Rankings of equal chance, and a share of decisions that show a uniform shuffle instead.

    With s the shuffled share, l(a) the chance that the k slots of a shuffle show arm a (k of K
    arms, where `groups` limit nothing) and c(a, j) the number of the R rankings that have a in
    slot j, P(a in slot j) = s·l(a)/k + (1 − s)·c(a, j)/R. Where slots are `pooled`, the arms of the
    slate are put in a random order, each in each slot equally often, so that with C(a) the number
    of rankings that have a in any of the slots P(a shown) = s·l(a) + (1 − s)·C(a)/R, and
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
        groups: Groups | None = None,
    ) -> None:
        self.arms, self.names, self._pooled = tuple(arms), tuple(names), pooled
        rows, self._slots = ranks.shape
        self._places, self._ranks = ranks, ranks.tolist()
        self._shuffled, self._rows_a_point = shuffled, rows / (1.0 - shuffled or 1.0)
        self._lots, self._limited = Lots(len(arms), self._slots, groups), groups is not None
        count, slots, lots = len(arms), range(self._slots), np.array(self._lots.shares)
        seen = np.stack([np.bincount(ranks[:, slot], minlength=count) for slot in slots], axis=1)
        chosen = (1.0 - shuffled) / rows
        self.inclusion = tuple((shuffled * lots + chosen * seen.sum(axis=1)).tolist())
        if pooled:
            by_slot = np.repeat(np.array(self.inclusion)[:, None] / self._slots, self._slots, 1)
            self._orders = _orders(self._slots)
        else:
            by_slot = shuffled * lots[:, None] / self._slots + chosen * seen
        self._by_slot = by_slot.tolist()
        self._float32 = by_slot.astype(np.float32).tolist()
        self._included = np.minimum(self.inclusion, 1.0).astype(np.float32).tolist()

    def draw(self, digest: bytes) -> Drawn:
        """The slate that 64 hashed bytes fall on."""
        numbers = NUMBERS.unpack(digest)
        point = (numbers[0] >> 11) * SCALE
        if point < self._shuffled:
            places = self._lots.draw(digest)
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
        """P(arm in its slot | the arms above), slot by slot.

        P(prefix of j) = s·(K − j)!/K! + (1 − s)·c/R with c the rankings that begin so. None where
        slots are pooled, or groups limited: then it cannot be counted.

        >>> bag = Bag((4, 7, 9), ("x", "y", "z"), np.array([[0, 1], [0, 2]]), 0.12, pooled=False)
        >>> [round(share, 4) for share in bag.choices((4, 9))]
        [0.92, 0.5]
        """
        if self._pooled or self._limited:
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
        least = self._shuffled * min(self._lots.shares) / self._slots
        if not least:
            return np.inf, np.inf
        orders = float(np.prod(len(self.arms) - np.arange(self._slots, dtype=np.float64)))
        return 1.0 / least, np.inf if self._limited else orders / self._shuffled


@cache
def _orders(slots: int) -> tuple[tuple[int, ...], ...]:
    """Orders of a slate in which each place comes to each slot equally often, exactly."""
    dice = np.random.Generator(np.random.PCG64(slots))
    shuffles = [dice.permutation(slots).tolist() for _ in range(max(1, _ORDERS // slots))]
    return tuple(
        tuple(shuffle[turn:] + shuffle[:turn]) for shuffle in shuffles for turn in range(slots)
    )
