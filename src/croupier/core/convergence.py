"""How much a ranking still moves: Udemy's measure of convergence."""

from collections.abc import Sequence
from itertools import pairwise

from croupier.core.snapshot import Snapshot


def churn(snapshots: Sequence[Snapshot]) -> float | None:
    """The part of the k likeliest arms that differs from the snapshot before, on average.

    (1/T) Σ 1 − |top_k(t) ∩ top_k(t − 1)| / k, with k the slots and top_k the arms of highest
    weight. It falls towards 0 as a ranking settles; None before there are two snapshots.

    >>> from croupier.core.arms.bernoulli import Beta
    >>> from croupier.core.policies.thompson import Thompson
    >>> two = [
    ...     Snapshot(
    ...         experiment="b", version=1, at=0, declaration=1, reward_version=1, watermark=0,
    ...         arms=(0, 1, 2), names=("x", "y", "z"), weights=weights, slots=2,
    ...         posterior=Beta((1.0,) * 3, (1.0,) * 3), policy=Thompson(),
    ...     )
    ...     for weights in ((0.9, 0.8, 0.3), (0.9, 0.5, 0.6))
    ... ]
    >>> churn(two)
    0.5

    Source: Wang 2022, Building a Multi-Armed Bandit System from the Ground Up (Udemy).
    """
    tops = [_likeliest(snapshot) for snapshot in snapshots]
    moves = [1.0 - len(now & before) / len(now) for before, now in pairwise(tops)]
    return sum(moves) / len(moves) if moves else None


def _likeliest(snapshot: Snapshot) -> set[int]:
    order = sorted(zip(snapshot.weights, snapshot.arms, strict=True), reverse=True)
    return {arm for _, arm in order[: snapshot.slots]}
