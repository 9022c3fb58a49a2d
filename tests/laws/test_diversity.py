"""Laws of slates whose groups are limited: what is skipped, how deep one looks, and what is said.

The invariant: of every request, each arm's share is the frequency with which it is drawn, no slate
shows more of a group than may be, and each is as long as any that keeps to the rule.
"""

from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from croupier.core.arms.posterior import Posterior
from croupier.core.arms.strata import Strata
from croupier.core.bag import Bag
from croupier.core.decide import Choice, Decider
from croupier.core.diversity import Diversity, Groups
from croupier.core.explain import explain
from croupier.core.lots import Lots, share_out
from croupier.core.policies.registry import POLICIES
from croupier.core.policies.thompson import Thompson
from croupier.core.problems import problems
from croupier.core.rankings import SPARE, Ranking, among, prune, rank_arms
from croupier.core.records import Declaration
from tests.laws import beliefs
from tests.laws.test_draws import AT, P_LEAST, p_value
from tests.laws.test_slates import RANKINGS, decider, declared, published, shares

ONE = 1 << 53
GROUPS = {f"arm-{arm}": "sport" if arm < 5 else "news" for arm in range(7)}
"""Of nine arms: five of sport, two of news, and two of no group."""
RULE = Diversity(at_most=2, of={"news": 1})
LIMITS = {"sport": 2, "news": 1}


def limited(arms: int = 9, slots: int = 3, **fields: Any) -> Any:
    """A declaration under a rule; the default shows no more of a group than may be."""
    fields = {"groups": GROUPS, "diversity": RULE} | fields
    spec = declared(arms, slots, **fields)
    groups = [spec.groups.get(name, "") for name in spec.arms]
    assert spec.diversity is not None
    down = by_hand(list(reversed(range(arms))), groups, spec.diversity, slots)
    return msgspec.structs.replace(spec, default=tuple(spec.arms[arm] for arm in down))


def check(slate: tuple[str, ...], spec: Any) -> None:
    """No arm twice, and no group more often than may be."""
    assert len(set(slate)) == len(slate)
    for group, count in Counter(spec.groups.get(name, "") for name in slate).items():
        most = spec.diversity.limit(group)
        assert most is None or count <= most


def decide_all(one: Decider, units: int, **request: Any) -> list[Choice]:
    return [
        one.decide(unit.to_bytes(16, "big"), AT, unit.to_bytes(15, "big"), **request)
        for unit in range(units)
    ]


def by_hand(ranking: list[int], groups: list[str], rule: Diversity, slots: int) -> list[int]:
    """Down a ranking of arms, past those whose group is full."""
    slate: list[int] = []
    for arm in ranking:
        most = rule.limit(groups[arm])
        full = most is not None and sum(groups[each] == groups[arm] for each in slate) >= most
        if len(slate) < slots and not full:
            slate.append(arm)
    return slate


# --- what is skipped ------------------------------------------------------------------------------

names = st.sampled_from(["", "sport", "news", "stars"])


@st.composite
def rules(draw: st.DrawFn) -> Diversity:
    most = st.integers(1, 3)
    of = draw(st.dictionaries(names.filter(bool), most, max_size=2))
    return Diversity(draw(most if not of else st.none() | most), of)


@settings(max_examples=150)
@given(groups=st.lists(names, min_size=1, max_size=60), rule=rules(), data=st.data())
def test_pruned_rankings_without_some_arms_are_whole_rankings_without_them(
    groups: list[str], rule: Diversity, data: st.DataObject
) -> None:
    """The slate of each ranking is what going down all of it, without those arms, leads to."""
    arms, slots = len(groups), data.draw(st.integers(1, 6))
    seed = data.draw(st.integers(0, 999))
    dice = np.random.default_rng(seed)
    every = np.array([dice.permutation(arms) for _ in range(5)], dtype=np.uint16)
    if data.draw(st.booleans()):  # one group leads everywhere
        every = np.array(
            [sorted(row, key=lambda arm: groups[arm] != "sport") for row in every.tolist()],
            np.uint16,
        )
    known = Groups.under(rule, groups)
    kept = prune(every, known.slots(slots), known)
    assert kept is not None
    out = dice.permutation(arms)[: data.draw(st.integers(0, max(0, arms - 1)))].tolist()
    left = sorted(set(range(arms)) - set(out))
    some = known.among(left)
    found = None if known.misses(kept, left, some, SPARE) else among(kept, left, slots, some)
    wanted = [
        by_hand([arm for arm in row if arm in set(left)], groups, rule, slots)
        for row in every.tolist()
    ]
    assert {len(slate) for slate in wanted} == {some.slots(slots)}
    if found is not None:
        assert [[left[place] for place in row] for row in found.tolist()] == wanted
    else:
        assert len(out) > SPARE


@settings(max_examples=40)
@given(
    kind=st.sampled_from(list(beliefs.KINDS)),
    arms=st.lists(beliefs.ARM, min_size=2, max_size=30),
    rule=rules(),
    data=st.data(),
)
def test_filling_limited_slots_takes_the_best_that_may_be_shown(
    kind: str, arms: list[tuple[float, float]], rule: Diversity, data: st.DataObject
) -> None:
    """One posterior in every slot, and the same samples: slot by slot is down the ranking."""
    groups = data.draw(st.lists(names, min_size=len(arms), max_size=len(arms)))
    slots = data.draw(st.integers(1, 4))
    known, posterior = Groups.under(rule, groups), beliefs.read(beliefs.KINDS[kind], arms)
    strata = Fixed(Strata.of("b", range(len(arms)), 64).levels)
    posteriors: list[Posterior] = [posterior] * slots
    wanted = among(
        rank_arms(Thompson(), posteriors[:1], strata, len(arms)), range(len(arms)), slots, known
    )
    found = rank_arms(Thompson(), [*posteriors, posterior], strata, slots, known)
    assert wanted is not None
    assert (found == wanted).all()


class Fixed(Strata):
    """The same samples in each slot."""

    def reordered(self, slot: int) -> Strata:
        return self


def test_a_group_that_leads_everywhere_is_looked_past() -> None:
    """Three hundred arms of one group are better than all others; the slate is still full."""
    beliefs_of = [(1000.0, 0.5)] * 300 + [(1000.0, 0.1)] * 20
    posterior = beliefs.read(beliefs.KINDS["auto-binary"], beliefs_of)
    known = Groups.under(Diversity(at_most=2), ["sport"] * 300 + [""] * 20)
    strata = Strata.of("b", range(320), 64)
    ranks = rank_arms(Thompson(), (posterior,), strata, 6, known)
    assert ranks.shape[1] <= 6 + 2 * SPARE
    slates = among(ranks, range(320), 6, known)
    assert slates is not None
    assert (np.sort(slates, axis=1)[:, :2] < 300).all()
    assert (np.sort(slates, axis=1)[:, 2:] >= 300).all()
    by_slot = rank_arms(Thompson(), (posterior, posterior, posterior), strata, 3, known)
    assert ((by_slot < 300).sum(axis=1) == 2).all()


# --- the shuffled share ---------------------------------------------------------------------------

sizes = st.lists(st.tuples(st.integers(1, 60_000), st.integers(1, 70)), min_size=1, max_size=40)


@given(sizes=sizes, slots=st.integers(1, 64))
def test_groups_share_a_slate_out_exactly_and_as_evenly_as_they_may(
    sizes: list[tuple[int, int]], slots: int
) -> None:
    room = [min(size, most) for size, most in sizes]
    slots = min(slots, sum(room))
    quotas = share_out([size for size, _ in sizes], [most for _, most in sizes], slots)
    assert sum(quotas) == slots * ONE
    assert all(quota <= each * ONE for quota, each in zip(quotas, room, strict=True))
    fair = [quota / size for quota, (size, _) in zip(quotas, sizes, strict=True)]
    free = [
        share for share, quota, each in zip(fair, quotas, room, strict=True) if quota < each * ONE
    ]
    if free:  # arms of groups that are not full have the same, and no arm has more
        assert max(fair) == pytest.approx(min(free), rel=1e-9)


@pytest.mark.parametrize("slots", [1, 3, 5])
def test_lots_are_drawn_as_often_as_they_say(slots: int) -> None:
    groups = Groups.under(RULE, [GROUPS.get(f"arm-{arm}", "") for arm in range(9)])
    lots, draws = Lots(9, slots, groups), 20_000
    slates = np.array([lots.draw(number.to_bytes(64, "big")) for number in range(draws)])
    assert (np.sort(slates, axis=1)[:, 1:] > np.sort(slates, axis=1)[:, :-1]).all()
    assert ((slates < 5).sum(axis=1) <= 2).all()
    assert (((slates >= 5) & (slates < 7)).sum(axis=1) <= 1).all()
    assert sum(lots.shares) == pytest.approx(slots)
    for slot in range(slots):
        seen = np.bincount(slates[:, slot], minlength=9)
        assert p_value(seen.tolist(), [share / slots for share in lots.shares]) > P_LEAST


def test_a_permutation_that_is_not_kept_is_the_same_permutation() -> None:
    """Every order of four arms alike, from one group without a limit."""
    lots = Lots(4, 4)
    counts = Counter(tuple(lots.draw(number.to_bytes(64, "big"))) for number in range(6_000))
    assert len(counts) == 24
    assert p_value(list(counts.values()), [1 / 24] * 24) > P_LEAST


# --- what is published and drawn ------------------------------------------------------------------


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize("kind", POLICIES)
@pytest.mark.parametrize(("arms", "slots"), [(9, 3), (40, 5), (9, 5)])
def test_limited_shares_are_a_distribution_and_none_is_zero(
    kind: str, ranking: Ranking, arms: int, slots: int
) -> None:
    policy: Any = POLICIES[kind]()
    spec = limited(arms, slots, policy=policy, ranking=ranking)
    assert [problem for problem in problems(spec) if problem[0] != "policy"] == []
    snapshot = published(spec)
    by_slot = shares(snapshot.menu())
    assert by_slot.sum(axis=0) == pytest.approx(np.ones(slots), abs=1e-9)
    assert by_slot.min() > 0
    assert snapshot.weights == pytest.approx(by_slot.sum(axis=1), abs=1e-9)
    for group, most in LIMITS.items():
        shown = [
            share
            for name, share in zip(spec.arms, snapshot.weights, strict=True)
            if spec.groups.get(name) == group
        ]
        assert sum(shown) <= most + 1e-9


REQUESTS: dict[str, dict[str, Any]] = {
    "all": {},
    "some": {"exclude": ("arm-1", "arm-8")},
    "few": {"eligible": ("arm-0", "arm-1", "arm-2", "arm-7")},
}


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize("asked", REQUESTS)
def test_limited_shares_are_the_frequencies_of_what_is_drawn(ranking: Ranking, asked: str) -> None:
    spec, units = limited(ranking=ranking, policy=Thompson(floor=0.03)), 6_000
    made = decide_all(decider(spec), units, **REQUESTS[asked])
    for each in made:
        check(each.names, spec)
        assert len(each.names) == 3
    for slot in range(3):
        said = {(each.names[slot], each.shares[slot]) for each in made}
        counts = Counter(each.names[slot] for each in made)
        assert len(said) == len(counts)
        assert sum(share for _, share in said) == pytest.approx(1.0, abs=1e-9)
        assert p_value([counts[name] for name, _ in said], [share for _, share in said]) > P_LEAST


def test_what_a_request_leaves_is_ranked_anew_where_too_many_of_a_group_are_out() -> None:
    """Of forty arms of one group all but the three worst are out; they could not all be kept."""
    groups = {f"arm-{arm}": "sport" for arm in range(40)}
    spec = limited(60, 4, groups=groups, diversity=Diversity(at_most=2))
    one = decider(spec)
    made = decide_all(one, 300, exclude=[f"arm-{arm}" for arm in range(37)])
    for each in made:
        check(each.names, spec)
        assert len(each.names) == 4
    assert any(spec.groups.get(name) for each in made for name in each.names)


@pytest.mark.parametrize("ranking", RANKINGS)
def test_a_slate_is_shorter_where_the_rule_leaves_too_few(ranking: Ranking) -> None:
    """And says so: what is said sums to what is shown."""
    spec = limited(ranking=ranking)
    made = decide_all(decider(spec), 200, eligible=[f"arm-{arm}" for arm in range(5)])
    assert {len(each.names) for each in made} == {2}
    assert len({each.names for each in made}) > 5
    paused = published(spec, out=(5, 6, 7, 8))
    assert sum(paused.weights) == pytest.approx(2.0)
    assert {len(each.names) for each in decide_all(decider(spec, paused), 50)} == {2}


@pytest.mark.parametrize("ranking", RANKINGS)
def test_a_pinned_arm_fills_its_group(ranking: Ranking) -> None:
    spec = limited(ranking=ranking)
    pinned = msgspec.structs.replace(published(spec), pinned=5, pinned_until=0)
    one = decider(spec, pinned)
    for each in decide_all(one, 300):
        assert each.names[0] == "arm-5"
        assert len(each.names) == 3
        check(each.names, spec)
    alone = decide_all(one, 3, eligible=["arm-5", "arm-6"])
    assert {(each.names, each.shares) for each in alone} == {(("arm-5",), (1.0,))}


def test_a_held_out_unit_is_shown_the_default_as_it_was_declared() -> None:
    spec = limited(holdout=0.5)
    made = decide_all(decider(spec), 200)
    held = {each.names for each in made if each.decision.reason == "holdout"}
    assert held == {spec.defaults}


def test_a_rule_that_limits_nothing_changes_nothing() -> None:
    plain, spec = declared(9, 3), declared(9, 3, groups=GROUPS, diversity=Diversity(at_most=5))
    made, wanted = (decide_all(decider(each), 300) for each in (spec, plain))
    assert [(each.names, each.shares) for each in made] == [
        (each.names, each.shares) for each in wanted
    ]


def test_what_was_decided_under_a_rule_is_explained_by_its_snapshot() -> None:
    spec = limited(sticky="unit")
    snapshot, told = published(spec), Declaration(version=1, reward_version=1, at=0, spec=spec)
    for each in decide_all(Decider(snapshot, told), 50):
        found = explain(each.decision, snapshot, told)
        assert (found.slate, found.agrees) == (each.names, True)


def test_a_bag_says_what_its_rankings_and_lots_say() -> None:
    """By hand: nine shuffled in a hundred, of two rankings one each."""
    groups = Groups.under(Diversity(at_most=1), ["a", "a", ""])
    bag = Bag((0, 1, 2), "xyz", np.array([[0, 2], [2, 1]]), 0.09, pooled=True, groups=groups)
    assert bag.inclusion == pytest.approx(
        (0.09 * 0.5 + 0.91 * 0.5, 0.09 * 0.5 + 0.91 * 0.5, 0.09 + 0.91)
    )
