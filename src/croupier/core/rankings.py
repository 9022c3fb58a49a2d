"""Rankings sampled from what is known: the bag that slates are drawn from."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from croupier.core.arms.leaders import Leaders
from croupier.core.arms.posterior import Posterior
from croupier.core.arms.strata import Strata
from croupier.core.diversity import Groups
from croupier.core.policies.registry import Policy

Ranking = Literal["pooled", "slots", "position", "cascade"]
"""How slots are learned: alike in every slot; each for itself; alike but for how often a slot is
looked at; or looked at from the first on until something is rewarded."""

Places = NDArray[np.uint16]
"""Rankings of arms by their place in the snapshot, best first; one a row."""

SPARE = 16
"""How much deeper than the slate pooled rankings are kept, so that arms can be left out."""


def rank_arms(
    policy: Policy,
    posteriors: Sequence[Posterior],
    strata: Strata,
    slots: int,
    groups: Groups | None = None,
) -> Places:
    """The rankings that the policy would show, each equally likely, shape (R, depth).

    With one posterior, arms are ranked by one sample of it, `SPARE` deeper than asked. With one
    for each slot, slots are filled from the first to the last, each with the arm that is best in
    a sample of that slot's posterior and not yet shown; such rankings are just `slots` deep. A
    policy that draws nothing gives one ranking, or many where arms tie. Where `groups` are
    limited, rankings are made as deep as it takes to fill the slate: of one posterior with `SPARE`
    more of each group than may be shown, of several with no more than that.

    >>> from croupier.core.arms.bernoulli import Beta
    >>> from croupier.core.policies.thompson import Thompson
    >>> three, strata = Beta((90.0, 5.0, 20.0), (10.0, 95.0, 80.0)), Strata.of("b", range(3), 4)
    >>> rank_arms(Thompson(), (three,), strata, slots=2).tolist()
    [[0, 2, 1]]

    Source: Radlinski, Kleinberg & Joachims 2008, Learning Diverse Rankings with Multi-Armed
    Bandits (one bandit a slot); Komiyama, Honda & Nakagawa 2015, Optimal Regret Analysis of
    Thompson Sampling in Stochastic Multi-armed Bandit Problem with Multiple Plays (one sample,
    the best k shown).
    """
    arms = strata.levels.shape[1]
    slots = min(slots, arms) if groups is None else groups.slots(slots)
    depth, found = min(arms, slots + SPARE), None
    if len(posteriors) > 1:
        found = fill(lead(policy, posteriors[:slots], strata), arms, groups)
    while found is None:
        if len(posteriors) > 1:
            found = fill(lead(policy, posteriors[:slots], strata, depth), arms, groups)
        else:
            ranks = _best(policy.leaders(posteriors[0], strata, depth), depth)
            found = ranks if groups is None else prune(ranks, slots, groups)
        depth = min(arms, 4 * depth)
    return _distinct(found)


def prune(ranks: Places, slots: int, groups: Groups) -> Places | None:
    """Rankings without the arms that are never shown, as long as at most `SPARE` are left out.

    They are so deep that whoever goes down them can leave out as many, or twice as deep as without
    groups; None where they do not fill so many slots.
    """
    kept, shown = groups.within(ranks, SPARE), groups.within(ranks)
    if (shown.sum(axis=1) < slots).any():
        return None
    needed, ample = (_reach(shown, kept, count) for count in (slots, slots + SPARE))
    depth = max(needed, min(max(ample, slots + SPARE), 2 * (slots + SPARE)))
    known = int(kept.sum(axis=1).min())
    return _first(ranks, kept, min(depth, known)) if known >= needed else None


def _reach(shown: NDArray[np.bool_], kept: NDArray[np.bool_], count: int) -> int:
    """How many of those kept one looks at until so many are shown, or there are no more."""
    reached = shown.cumsum(axis=1) >= count
    last = np.where(reached.any(axis=1), reached.argmax(axis=1), shown.shape[1] - 1)
    return int(kept.cumsum(axis=1)[np.arange(len(kept)), last].max())


def lead(
    policy: Policy, posteriors: Sequence[Posterior], strata: Strata, spare: int = 0
) -> list[Leaders]:
    """For each slot the arms that can come into it, with `spare` more so that some can go."""
    return [
        policy.leaders(posterior, strata.reordered(slot), slot + 1 + spare)
        for slot, posterior in enumerate(posteriors)
    ]


def fill(leaders: Sequence[Leaders], arms: int, groups: Groups | None = None) -> Places | None:
    """Slot by slot, the best arm that is still free and whose group is not full.

    One of the first `slot + 1` of its sample, where `groups` limit nothing; else None where none
    of those that lead may be shown.
    """
    size = len(leaders[0].arms)
    samples = np.arange(size)
    free = np.ones((size, arms), dtype=bool)
    ranks = np.empty((size, len(leaders)), dtype=np.uint16)
    room = None if groups is None else np.tile(groups.many, (size, 1))
    for slot, (places, scores, ties) in enumerate(leaders):
        usable = free[samples[:, None], places]
        if groups is not None and room is not None:
            usable &= room[samples[:, None], groups.of[places]] > 0
        still = np.where(usable, scores, -np.inf)
        best = still.max(axis=1, keepdims=True)
        if best.min() == -np.inf:
            return None
        first = np.where(still >= best, ties, size + 1)
        ranks[:, slot] = places[samples, first.argmin(axis=1)]
        free[samples, ranks[:, slot]] = False
        if groups is not None and room is not None:
            room[samples, groups.of[ranks[:, slot]]] -= 1
    return _distinct(ranks)


def fill_among(
    leaders: Sequence[Leaders],
    places: Sequence[int],
    arms: int,
    slots: int,
    groups: Groups | None = None,
) -> Places | None:
    """The rankings of the arms at these places alone; None where too few of them lead.

    It is filling the slots without the others; the answer counts places among those given, and so
    do their `groups`.
    """
    slots = min(slots, len(places)) if groups is None else groups.slots(slots)
    left = [
        each.among(places, arms, slot + 1)
        for slot, each in zip(range(slots), leaders, strict=False)
    ]
    known = [each for each in left if each is not None]
    return fill(known, len(places), groups) if len(known) == slots else None


def _distinct(ranks: Places) -> Places:
    """One ranking where all are the same."""
    return ranks[:1] if (ranks == ranks[0]).all() else ranks


def _best(leaders: Leaders, depth: int) -> Places:
    """The best `depth` arms of each sample."""
    order = np.lexsort((leaders.ties, -leaders.scores), axis=1)[:, :depth]
    return np.take_along_axis(leaders.arms, order, axis=1).astype(np.uint16)


def among(
    ranks: Places, places: Sequence[int], slots: int, groups: Groups | None = None
) -> Places | None:
    """The rankings of the arms at these places alone; None where they were not kept so deep.

    Leaving an arm out of a sample's ranking is ranking the sample without it. The answer counts
    places among those given; an arm whose group is full is left out, too.

    >>> among(np.array([[2, 0, 1], [0, 1, 2]], dtype=np.uint16), (1, 2), slots=1).tolist()
    [[1], [0]]
    """
    known = int(max(ranks.max(), *places)) + 1
    place_among = np.full(known, -1)
    place_among[list(places)] = np.arange(len(places))
    kept = place_among[ranks]
    left = kept >= 0 if groups is None else groups.within(kept)
    depth = min(slots, len(places)) if groups is None else groups.slots(slots)
    return None if (left.sum(axis=1) < depth).any() else _first(kept, left, depth)


def _first(ranks: NDArray[Any], kept: NDArray[np.bool_], depth: int) -> Places:
    """The first of those that are kept, so many of each ranking."""
    first = kept & (kept.cumsum(axis=1) <= depth)
    return ranks[first].reshape(len(ranks), depth).astype(np.uint16)
