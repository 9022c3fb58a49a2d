"""Rankings sampled from what is known: the bag that slates are drawn from."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from croupier.core.arms.leaders import Leaders
from croupier.core.arms.posterior import Posterior
from croupier.core.arms.strata import Strata
from croupier.core.policies.registry import Policy

Ranking = Literal["pooled", "slots", "position", "cascade"]
"""How slots are learned: alike in every slot; each for itself; alike but for how often a slot is
looked at; or looked at from the first on until something is rewarded."""

Places = NDArray[np.uint16]
"""Rankings of arms by their place in the snapshot, best first; one a row."""

SPARE = 16
"""How much deeper than the slate pooled rankings are kept, so that arms can be left out."""


def rank_arms(
    policy: Policy, posteriors: Sequence[Posterior], strata: Strata, slots: int
) -> Places:
    """The rankings that the policy would show, each equally likely, shape (R, depth).

    With one posterior, arms are ranked by one sample of it, `SPARE` deeper than asked. With one
    for each slot, slots are filled from the first to the last, each with the arm that is best in
    a sample of that slot's posterior and not yet shown; such rankings are just `slots` deep. A
    policy that draws nothing gives one ranking, or many where arms tie.

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
    slots = min(slots, arms)
    if len(posteriors) == 1:
        depth = min(arms, slots + SPARE)
        return _distinct(_best(policy.leaders(posteriors[0], strata, depth), depth))
    return fill(lead(policy, posteriors[:slots], strata), arms)


def lead(
    policy: Policy, posteriors: Sequence[Posterior], strata: Strata, spare: int = 0
) -> list[Leaders]:
    """For each slot the arms that can come into it, with `spare` more so that some can go."""
    return [
        policy.leaders(posterior, strata.reordered(slot), slot + 1 + spare)
        for slot, posterior in enumerate(posteriors)
    ]


def fill(leaders: Sequence[Leaders], arms: int) -> Places:
    """Slot by slot, the best arm that is still free: one of the first `slot + 1` of its sample."""
    size = len(leaders[0].arms)
    samples = np.arange(size)
    free = np.ones((size, arms), dtype=bool)
    ranks = np.empty((size, len(leaders)), dtype=np.uint16)
    for slot, (places, scores, ties) in enumerate(leaders):
        still = np.where(free[samples[:, None], places], scores, -np.inf)
        first = np.where(still >= still.max(axis=1, keepdims=True), ties, size + 1)
        ranks[:, slot] = places[samples, first.argmin(axis=1)]
        free[samples, ranks[:, slot]] = False
    return _distinct(ranks)


def fill_among(
    leaders: Sequence[Leaders], places: Sequence[int], arms: int, slots: int
) -> Places | None:
    """The rankings of the arms at these places alone; None where too few of them lead.

    It is filling the slots without the others; the answer counts places among those given.
    """
    slots = min(slots, len(places))
    left = [
        each.among(places, arms, slot + 1)
        for slot, each in zip(range(slots), leaders, strict=False)
    ]
    known = [each for each in left if each is not None]
    return fill(known, len(places)) if len(known) == slots else None


def _distinct(ranks: Places) -> Places:
    """One ranking where all are the same."""
    return ranks[:1] if (ranks == ranks[0]).all() else ranks


def _best(leaders: Leaders, depth: int) -> Places:
    """The best `depth` arms of each sample."""
    order = np.lexsort((leaders.ties, -leaders.scores), axis=1)[:, :depth]
    return np.take_along_axis(leaders.arms, order, axis=1).astype(np.uint16)


def among(ranks: Places, places: Sequence[int], slots: int) -> Places | None:
    """The rankings of the arms at these places alone; None where they were not kept so deep.

    Leaving an arm out of a sample's ranking is ranking the sample without it. The answer counts
    places among those given.

    >>> among(np.array([[2, 0, 1], [0, 1, 2]], dtype=np.uint16), (1, 2), slots=1).tolist()
    [[1], [0]]
    """
    known = int(max(ranks.max(), *places)) + 1
    place_among = np.full(known, -1)
    place_among[list(places)] = np.arange(len(places))
    kept = place_among[ranks]
    left = kept >= 0
    depth = min(slots, len(places))
    if (left.sum(axis=1) < depth).any():
        return None
    first = left & (left.cumsum(axis=1) <= depth)
    return kept[first].reshape(len(ranks), depth).astype(np.uint16)
