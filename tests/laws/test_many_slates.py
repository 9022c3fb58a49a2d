"""Slates of 200,000 units: what is said of each slot, of pairs, and of the whole is what is drawn.

Units are numbers and draws are hashes, so every figure is a constant; a fair draw fails one of
the chi-squares once in 10,000 (P_LEAST). It takes a second a case, so it is not in the quick tier.
"""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from croupier.core.bag import Bag, _orders
from croupier.core.decide import Decider
from croupier.core.diversity import Diversity
from croupier.core.policies.thompson import Thompson
from croupier.core.rankings import Ranking
from tests.laws.test_draws import AT, P_LEAST, UNITS, p_value
from tests.laws.test_slates import RANKINGS, decider, declared

pytestmark = pytest.mark.long

ARMS, SLOTS, FLOOR = 7, 3, 0.02
Whole = NDArray[np.int64]


class Drawn:
    """Who was shown what, as places in the menu, and what was said of it."""

    def __init__(self, one: Decider, **request: Any) -> None:
        self.held = 0
        slates, said, included = [], [], []
        for unit in range(UNITS):
            identity = unit.to_bytes(16, "big")
            made = one.decide(identity, AT, identity[1:], **request)
            if made.decision.reason in {"holdout", "default"}:
                self.held += 1
                continue
            slates.append(made.decision.slate)
            said.append(made.shares)
            included.append(made.decision.inclusions)
        self.slates, self.said, self.included = map(np.array, (slates, said, included))


@pytest.mark.parametrize(
    ("ranking", "request_", "sticky"),
    [
        ("pooled", {}, "session"),
        ("pooled", {"exclude": ("arm-1", "arm-3")}, "decision"),
        ("slots", {}, "unit"),
        ("slots", {"eligible": ("arm-0", "arm-2", "arm-3", "arm-6")}, "session"),
    ],
    ids=["pooled", "pooled, excluded", "slots", "slots, eligible"],
)
def test_what_is_said_of_slates_is_how_often_they_are_drawn(
    ranking: Ranking, request_: dict[str, Any], sticky: Any
) -> None:
    policy = Thompson(floor=FLOOR)
    spec = declared(ARMS, SLOTS, ranking=ranking, policy=policy, holdout=0.25, sticky=sticky)
    one = decider(spec)
    drawn = Drawn(one, **request_)
    assert p_value([drawn.held, UNITS - drawn.held], [0.25, 0.75]) > P_LEAST
    left = sorted({int(arm) for arm in drawn.slates.ravel()})
    assert len(left) == ARMS - len(request_.get("exclude", ())) - 3 * ("eligible" in request_)
    for slot in range(SLOTS):
        shares = [_only(drawn.said[drawn.slates[:, slot] == arm, slot]) for arm in left]
        seen = [int((drawn.slates[:, slot] == arm).sum()) for arm in left]
        assert sum(shares) == pytest.approx(1.0, abs=1e-9)
        assert min(shares) >= FLOOR - 1e-12
        assert p_value(seen, shares) > P_LEAST
    if ranking == "pooled":
        for arm in left:
            where = drawn.slates == arm
            share = _only(drawn.included[where])
            seen = [int(where.any(axis=1).sum()), int((~where.any(axis=1)).sum())]
            assert p_value(seen, [share, 1.0 - share]) > P_LEAST / len(left)
    _check_pairs(one, drawn, left, pooled=ranking == "pooled")


@pytest.mark.parametrize("request_", [{}, {"exclude": ("arm-1", "arm-4")}], ids=["all", "some"])
@pytest.mark.parametrize("ranking", RANKINGS)
def test_what_is_said_of_limited_slates_is_how_often_they_are_drawn(
    ranking: Ranking, request_: dict[str, Any]
) -> None:
    """At most one of arms 0, 2, 4 and one of 1, 3: never more, and each as often as is said."""
    groups = {f"arm-{arm}": "even" if arm % 2 == 0 else "odd" for arm in range(5)}
    spec = declared(
        ARMS, SLOTS, ranking=ranking, policy=Thompson(floor=FLOOR), groups=groups,
        diversity=Diversity(at_most=1),
    )  # fmt: skip
    drawn = Drawn(decider(spec), **request_)
    assert drawn.slates.shape == (UNITS, SLOTS)
    for group in ((0, 2, 4), (1, 3)):
        assert np.isin(drawn.slates, group).sum(axis=1).max() == 1
    left = sorted({int(arm) for arm in drawn.slates.ravel()})
    assert len(left) == ARMS - len(request_.get("exclude", ()))
    for slot in range(SLOTS):
        shares = [_only(drawn.said[drawn.slates[:, slot] == arm, slot]) for arm in left]
        seen = [int((drawn.slates[:, slot] == arm).sum()) for arm in left]
        assert sum(shares) == pytest.approx(1.0, abs=1e-9)
        assert p_value(seen, shares) > P_LEAST
    if ranking == "pooled":
        for arm in left:
            where = drawn.slates == arm
            share = _only(drawn.included[where])
            seen = [int(where.any(axis=1).sum()), int((~where.any(axis=1)).sum())]
            assert p_value(seen, [share, 1.0 - share]) > P_LEAST / len(left)


def _only(said: NDArray[np.float64]) -> float:
    (share,) = set(said.tolist())
    return float(share)


def _check_pairs(one: Decider, drawn: Drawn, left: list[int], *, pooled: bool) -> None:
    """How often two arms meet in the first two slots, from the published rankings alone."""
    places = frozenset(one.snapshot.arms.index(arm) for arm in left)
    bag = one.menus.among(places)
    assert isinstance(bag, Bag)
    shuffled = len(left) * FLOOR
    ranks = np.array(bag._ranks)
    orders = _orders(SLOTS) if pooled else (tuple(range(SLOTS)),)
    wanted = np.zeros((len(left), len(left)))
    for order in orders:
        np.add.at(wanted, (ranks[:, order[0]], ranks[:, order[1]]), 1.0)
    pairs = list(permutations(range(len(left)), 2))
    met = [
        int(((drawn.slates[:, 0] == left[a]) & (drawn.slates[:, 1] == left[b])).sum())
        for a, b in pairs
    ]
    shares = [
        shuffled / len(pairs) + (1.0 - shuffled) * wanted[a, b] / (len(ranks) * len(orders))
        for a, b in pairs
    ]
    assert sum(shares) == pytest.approx(1.0, abs=1e-9)
    assert p_value(met, shares) > P_LEAST
