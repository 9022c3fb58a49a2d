"""Slates that favour nobody: all arms as likely as their groups allow."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from struct import Struct

import numpy as np

from croupier.core.diversity import Groups

NUMBERS = Struct(">8Q")
SCALE = 2.0**-53
_SLOT = 1 << 53
"""One slot, in the whole units that groups share slates in."""
_ORDERS = 32


class Lots:
    """Slates that are drawn without looking at what is known of the arms.

    Without rules it is the beginning of a uniform permutation: each of K arms is in a slate of k
    with chance k/K. Where groups are limited, group g has q_g slots on average, as many an arm as
    any other group but at most its limit; Σq = k. They are laid end to end, in one of some random
    orders, and the group at each of the points u, u + 1, …, u + k − 1 (u uniform in [0, 1)) gives
    an arm, so that g gives ⌊q_g⌋ or ⌈q_g⌉, never more than its limit, and each of its n_g arms is
    shown with chance q_g/n_g: exactly, for all of it is done in whole 2⁻⁵³ of a slot. The slate is
    put in uniform order.

    >>> rule = Groups(np.array([0, 1, 1, 1, 1]), np.array([5, 1]))
    >>> Lots(5, 2, rule).shares  # fair were 2/5 each; four arms may have no more than 1 together
    (1.0, 0.25, 0.25, 0.25, 0.25)

    Source: Fisher & Yates 1938 and Durstenfeld 1964, Algorithm 235 (permutations); Madow 1949, On
    the Theory of Systematic Sampling, II (unequal chances without replacement).
    """

    def __init__(self, arms: int, slots: int, groups: Groups | None = None) -> None:
        self._slots = slots
        self.shares: tuple[float, ...] = (slots / arms,) * arms
        self._members: list[Sequence[int]] = [range(arms)]
        self._lines: list[tuple[list[int], list[int]]] = []
        if groups is not None:
            self._share_out(groups)

    def _share_out(self, groups: Groups) -> None:
        """Note who is in which group, what each group has, and some orders of the groups."""
        sizes = groups.sizes
        quotas = share_out(sizes.tolist(), groups.many.tolist(), self._slots)
        each = np.array(quotas) / (np.maximum(sizes, 1) * float(_SLOT))
        self.shares = tuple(each[groups.of].tolist())
        members = np.split(np.argsort(groups.of, kind="stable"), np.cumsum(sizes)[:-1])
        self._members = [places.tolist() for places in members]
        dice = np.random.Generator(np.random.PCG64(len(quotas)))
        present = np.flatnonzero(quotas)
        for _ in range(_ORDERS):
            order = dice.permutation(present)
            self._lines.append((order.tolist(), np.cumsum(np.array(quotas)[order]).tolist()))

    def draw(self, digest: bytes) -> list[int]:
        """The places of a slate, slot by slot, that some hashed bytes lead to."""
        dice = _stream(digest)
        if not self._lines:
            return _some(self._members[0], self._slots, dice)
        order, ends = self._lines[next(dice) % _ORDERS]
        start = next(dice) >> 11
        points = range(start, start + self._slots * _SLOT, _SLOT)
        picked = Counter(bisect_right(ends, point) for point in points)
        found = [
            place
            for turn, count in picked.items()
            for place in _some(self._members[order[turn]], count, dice)
        ]
        return _some(found, len(found), dice)


def share_out(sizes: Sequence[int], many: Sequence[int], slots: int) -> list[int]:
    """How much of the slate each group has, in units of 2⁻⁵³ of a slot, exactly `slots` in all.

    As much an arm as any other group, but at most `many` slots and one an arm.

    >>> [quota / 2**53 for quota in share_out([1, 4, 5], [9, 1, 9], 4)]
    [0.5, 1.0, 2.5]
    """
    room = [min(size, most) for size, most in zip(sizes, many, strict=True)]
    present = [group for group, size in enumerate(sizes) if size]
    quotas, left, arms = [0] * len(sizes), slots * _SLOT, sum(sizes)
    for group in sorted(present, key=lambda group: room[group] / sizes[group]):
        quotas[group] = min(room[group] * _SLOT, left * sizes[group] // arms)
        left -= quotas[group]
        arms -= sizes[group]
    return quotas


def _some(members: Sequence[int], count: int, dice: Iterator[int]) -> list[int]:
    """The first of a uniform permutation; what is swapped is kept, and not the permutation."""
    chosen, moved = [], dict[int, int]()
    for turn in range(count):
        other = turn + int((next(dice) >> 11) * SCALE * (len(members) - turn))
        chosen.append(members[moved.get(other, other)])
        moved[other] = moved.get(turn, turn)
    return chosen


def _stream(digest: bytes) -> Iterator[int]:
    """Endless 64-bit numbers, hashed one block from the other."""
    while True:
        digest = blake2b(digest, digest_size=64, person=b"croupier-more").digest()
        yield from NUMBERS.unpack(digest)
