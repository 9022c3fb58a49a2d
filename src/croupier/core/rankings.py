"""Rankings sampled from what is known: the bag that slates are drawn from."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from croupier.core.arms.panels import FloatArray
from croupier.core.arms.posterior import Posterior
from croupier.core.arms.strata import Strata
from croupier.core.policies.registry import Policy

Ranking = Literal["pooled", "slots"]
"""Whether an arm earns the same in every slot, or each slot has posteriors of its own."""

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
    arms = len(strata.order)
    slots = min(slots, arms)
    if len(posteriors) == 1:
        ranks = _best(policy.scores(posteriors[0], strata), strata, min(arms, slots + SPARE))
    else:
        ranks = _filled(policy, posteriors[:slots], strata)
    return ranks[:1] if (ranks == ranks[0]).all() else ranks


def _best(scores: FloatArray, strata: Strata, depth: int) -> Places:
    """The best `depth` arms of each row; ties in a single row are broken once a sample."""
    if len(scores) == 1:
        row = np.broadcast_to(scores, strata.keys.shape)
        return np.lexsort((strata.keys, -row), axis=1)[:, :depth].astype(np.uint16)
    return np.argsort(-scores, axis=1, kind="stable")[:, :depth].astype(np.uint16)


def _filled(policy: Policy, posteriors: Sequence[Posterior], strata: Strata) -> Places:
    """Slot by slot, the best arm that is still free; ties are broken once a sample."""
    arms, size = strata.order.shape
    free = np.ones((size, arms), dtype=bool)
    ranks, samples = np.empty((size, len(posteriors)), dtype=np.uint16), np.arange(size)
    for slot, posterior in enumerate(posteriors):
        own = strata.reordered(slot)
        scores = np.where(free, policy.scores(posterior, own), -np.inf)
        best = free & (scores >= scores.max(axis=1, keepdims=True))
        ranks[:, slot] = np.where(best, own.keys, -1).argmax(axis=1)
        free[samples, ranks[:, slot]] = False
    return ranks


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
