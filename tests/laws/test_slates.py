"""Laws of slates: every share is a count over what is published, and a frequency.

Over all policies, kinds of ranking and posteriors. The units are numbers and the draws are hashes,
so every figure here is a constant; P_LEAST is what a fair draw would miss once in 10,000 tests.
"""

from collections import Counter
from itertools import product
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from croupier.core.arms.bernoulli import Beta
from croupier.core.arms.leaders import Leaders
from croupier.core.arms.strata import Strata
from croupier.core.arms.sums import Sums
from croupier.core.arms.table import ArmTable
from croupier.core.bag import Bag, _orders
from croupier.core.decide import Decider
from croupier.core.experiment import Experiment
from croupier.core.policies.epsilon_greedy import EpsilonGreedy
from croupier.core.policies.registry import POLICIES
from croupier.core.policies.thompson import Thompson
from croupier.core.publish import publish
from croupier.core.rankings import SPARE, Ranking, among, fill, fill_among, lead, rank_arms
from croupier.core.records import Arm, ArmSet, Declaration
from croupier.core.reward import MICRO, Reward, Term
from croupier.core.session import session_at
from croupier.core.snapshot import Snapshot
from croupier.core.token import Signer
from tests.laws import beliefs
from tests.laws.test_draws import AT, P_LEAST, p_value

RANKINGS: tuple[Ranking, ...] = get_args(Ranking)
CLICK = Reward({"click": Term(1.0)})


def declared(arms: int = 6, slots: int = 3, **fields: Any) -> Experiment:
    names = tuple(f"arm-{number}" for number in range(arms))
    return Experiment("page", names, names[:slots], CLICK, slots=slots, **fields)


def published(spec: Experiment, seed: int = 1, out: tuple[int, ...] = ()) -> Snapshot:
    """A snapshot after some hundred trials of each arm in each slot."""
    dice = np.random.default_rng(seed)
    tables = {slot: ArmTable() for slot in range(spec.slots)}
    for arm, slot in product(range(len(spec.arms)), range(spec.slots)):
        n = int(dice.integers(50, 500))
        wins = int(dice.binomial(n, 0.02 + 0.01 * (arm % 4)))
        tables[slot].add(0, arm, Sums(n, wins * MICRO, wins * MICRO * MICRO))
    arms = tuple(
        Arm(number, name, "paused" if number in out else "active", spec.groups.get(name, ""))
        for number, name in enumerate(spec.arms)
    )
    declaration = Declaration(version=1, reward_version=1, at=0, spec=spec)
    return publish(
        declaration, ArmSet(experiment="page", version=1, at=0, arms=arms), tables, 1, 0, 0
    )


def decider(spec: Experiment, snapshot: Snapshot | None = None) -> Decider:
    declaration = Declaration(version=1, reward_version=1, at=0, spec=spec)
    return Decider(snapshot or published(spec), declaration)


def tried(arms: list[tuple[float, float]]) -> Beta:
    """What is known after so many trials, with so many successes, of each arm."""
    return Beta(tuple(1 + r for _, r in arms), tuple(1 + n - r for n, r in arms))


def shares(bag: Any) -> np.ndarray[Any, Any]:
    assert isinstance(bag, Bag)
    return np.array(bag._by_slot)


# --- what is published ----------------------------------------------------------------------------


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize("kind", POLICIES)
@pytest.mark.parametrize(("arms", "slots"), [(2, 2), (3, 2), (6, 3), (40, 12), (5, 5)])
def test_shares_are_a_distribution_and_none_is_zero(
    kind: str, ranking: Ranking, arms: int, slots: int
) -> None:
    policy: Any = POLICIES[kind]()
    snapshot = published(declared(arms, slots, policy=policy, ranking=ranking))
    by_slot = shares(snapshot.menu())
    assert by_slot.shape == (arms, slots)
    assert by_slot.sum(axis=0) == pytest.approx(np.ones(slots), abs=1e-9)
    assert by_slot.min() >= policy.usable_floor(arms) - 1e-12
    assert snapshot.weights == pytest.approx(by_slot.sum(axis=1), abs=1e-9)
    assert sum(snapshot.weights) == pytest.approx(slots, abs=1e-9)


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize("kind", POLICIES)
def test_a_bag_of_one_slot_says_what_weights_say(kind: str, ranking: Ranking) -> None:
    """Exactly for policies that draw nothing; else within 5 deviations of so many samples."""
    policy: Any = POLICIES[kind]()
    snapshot = published(declared(policy=policy))
    posterior, strata = snapshot.posterior, Strata.of("page", range(6), 1_024)
    posteriors = (posterior,) if ranking == "pooled" else (posterior, posterior)
    ranks = rank_arms(policy, posteriors, strata, 2)[:, :1]
    shown = Bag(range(6), "uvwxyz", ranks, policy.shuffled(posterior), pooled=True).inclusion
    weights = policy.publish(posterior)
    sampled = np.sqrt(weights * (1 - weights) / 1_024) if kind == "thompson" else np.zeros(6)
    assert np.abs(shown - weights).max() <= (5 * sampled + 1e-9).max()


def test_arms_that_tie_share_and_one_ranking_is_not_published_twice() -> None:
    spec = declared(policy=EpsilonGreedy(epsilon=0.0))
    arms = ArmSet(experiment="page", version=1, at=0, arms=tuple(map(Arm, range(6), spec.arms)))
    fresh = publish(Declaration(version=1, reward_version=1, at=0, spec=spec), arms, {}, 1, 0, 0)
    assert np.array(fresh.weights) == pytest.approx(np.full(6, 0.5), abs=0.08)
    assert len(published(spec).ranks()) == 1


@settings(max_examples=40)
@given(
    kind=st.sampled_from(list(beliefs.KINDS)),
    arms=st.lists(beliefs.ARM, min_size=2, max_size=30),
    dice=st.data(),
)
def test_leaving_arms_out_is_ranking_without_them(
    kind: str, arms: list[tuple[float, float]], dice: st.DataObject
) -> None:
    posterior = beliefs.read(beliefs.KINDS[kind], arms)
    numbers = [3 * place + 1 for place in range(len(arms))]
    left = sorted(dice.draw(st.sets(st.integers(0, len(arms) - 1), min_size=1)))
    slots = dice.draw(st.integers(1, 4))
    ranks = rank_arms(Thompson(), (posterior,), Strata.of("b", numbers, 64), slots)
    filtered = among(ranks, left, slots)
    strata = Strata.of("b", [numbers[place] for place in left], 64)
    without = rank_arms(Thompson(), (posterior.take(left),), strata, slots)[:, :slots]
    if filtered is None:
        assert len(arms) - len(left) > SPARE - slots
    else:
        assert (filtered == without).all()


@settings(max_examples=40)
@given(
    arms=st.lists(beliefs.ARM, min_size=2, max_size=40),
    size=st.sampled_from([64, 200]),
    dice=st.data(),
)
def test_filling_slots_among_some_is_filling_them_without_the_others(
    arms: list[tuple[float, float]], size: int, dice: st.DataObject
) -> None:
    """And neither the bar that leaders pass, nor how many are kept in spare, changes anything."""
    slots = dice.draw(st.integers(1, min(4, len(arms))))
    posteriors = [
        beliefs.read(beliefs.KINDS["auto-binary"], arms[at:] + arms[:at]) for at in range(slots)
    ]
    left = sorted(dice.draw(st.sets(st.integers(0, len(arms) - 1), min_size=1)))
    strata = Strata.of("b", range(len(arms)), size)
    spare = dice.draw(st.integers(0, 9))
    filled = fill_among(lead(Thompson(), posteriors, strata, spare), left, len(arms), slots)
    taken = [posterior.take(left) for posterior in posteriors[: len(left)]]
    every = [
        Leaders.of_samples(posterior, strata.take(left).reordered(slot), len(left))
        for slot, posterior in enumerate(taken)
    ]
    if filled is not None:
        assert (filled == fill(every, len(left))).all()
    else:
        assert len(left) < len(arms)


def test_leaders_are_the_first_of_all_samples() -> None:
    """Of 400 arms about 20 pass the bar; each sample's first 12 are those of all samples."""
    dice = np.random.default_rng(1)
    arms = [(float(n), float(dice.integers(0, n // 5))) for n in dice.integers(10, 900, 400)]
    posterior, strata = tried(arms), Strata.of("b", range(400), 256)
    few, every = (Leaders.of_samples(posterior, strata, depth) for depth in (3, 400))
    assert few.arms.shape[1] < 60
    assert every.arms.shape == (256, 400)
    for depth in (1, 3):
        firsts = [
            np.take_along_axis(each.arms, np.lexsort((each.ties, -each.scores), axis=1), axis=1)
            for each in (few, every)
        ]
        assert (firsts[0][:, :depth] == firsts[1][:, :depth]).all()


def test_arms_that_nobody_has_tried_share_alike() -> None:
    """Samples of arms believed alike tie; ties must not favour whoever was declared first."""
    posterior, strata = tried([(0.0, 0.0)] * 300), Strata.of("b", range(300), 1_024)
    first = rank_arms(Thompson(), (posterior,), strata, 1)[:, 0]
    early = int((first < 150).sum())
    assert p_value([early, 1_024 - early], [0.5, 0.5]) > P_LEAST


def test_what_was_asked_before_is_ready_when_a_snapshot_comes() -> None:
    spec = declared(40, 3, ranking="slots")
    before = decider(spec)
    before.decide(bytes(16), AT, bytes(15), exclude=["arm-3"])
    after = Decider(
        published(spec, seed=2), Declaration(version=1, reward_version=1, at=0, spec=spec), before
    )
    assert after.menus.kept.keys() == before.menus.kept.keys()
    assert not after.menus.asked
    fresh = decider(spec, published(spec, seed=2))
    for unit in range(50):
        one = unit.to_bytes(16, "big")
        made, wanted = (each.decide(one, AT, one[1:], exclude=["arm-3"]) for each in (after, fresh))
        assert (made.names, made.shares) == (wanted.names, wanted.shares)


def test_an_arm_that_is_deeper_than_the_rankings_is_ranked_anew() -> None:
    spec = declared(60, 3)
    one = decider(spec)
    kept = one.decide(bytes(16), AT, bytes(15), exclude=spec.arms[:4])
    far = one.decide(bytes(16), AT, bytes(15), eligible=spec.arms[50:])
    assert len(kept.names) == len(far.names) == 3
    assert not set(kept.names) & set(spec.arms[:4])
    assert set(far.names) <= set(spec.arms[50:])


@pytest.mark.parametrize("slots", [1, 2, 3, 7, 12, 64])
def test_orders_put_each_place_into_each_slot_equally_often(slots: int) -> None:
    table = np.array(_orders(slots))
    assert (np.sort(table, axis=1) == np.arange(slots)).all()
    for slot in range(slots):
        assert len(set(np.bincount(table[:, slot]))) == 1


def test_a_little_more_evidence_moves_few_rankings() -> None:
    spec = declared(40, 3)
    before, after = published(spec), published(spec)
    more = after.posterior
    assert hasattr(more, "a")
    moved = msgspec.structs.replace(more, a=(more.a[0] + 1, *more.a[1:]))
    ranks = rank_arms(Thompson(), (moved,), Strata.of("page", range(40), 1_024), 3)
    assert (ranks[:, :3] == before.ranks()[:, :3]).all(axis=1).mean() > 0.9


# --- what is drawn --------------------------------------------------------------------------------


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize("request_", [{}, {"exclude": ("arm-1", "arm-4")}], ids=["all", "some"])
def test_shares_are_the_frequencies_of_what_is_drawn(
    ranking: Ranking, request_: dict[str, Any]
) -> None:
    """Each slot by itself, and being in the slate at all."""
    spec = declared(6, 3, ranking=ranking, policy=Thompson(floor=0.03))
    one, units = decider(spec), 12_000
    made = [
        one.decide(unit.to_bytes(16, "big"), AT, unit.to_bytes(15, "big"), **request_)
        for unit in range(units)
    ]
    for slot in range(3):
        said = {(made_.names[slot], made_.shares[slot]) for made_ in made}
        counts = Counter(made_.names[slot] for made_ in made)
        assert len(said) == len(counts) == 6 - len(request_.get("exclude", ()))
        assert sum(share for _, share in said) == pytest.approx(1.0, abs=1e-9)
        assert p_value([counts[name] for name, _ in said], [share for _, share in said]) > P_LEAST
    if ranking == "pooled":
        included = {
            (arm, share)
            for made_ in made
            for arm, share in zip(made_.names, made_.decision.inclusions, strict=True)
        }
        shown = Counter(name for made_ in made for name in made_.names)
        assert sum(share for _, share in included) == pytest.approx(3.0, abs=1e-6)
        for arm, share in included:
            deviation = np.sqrt(units * share * (1 - share)) + 1e-9
            assert abs(shown[arm] - units * share) < 5 * deviation
    assert all(len(set(made_.names)) == 3 for made_ in made)


def test_a_uniform_policy_shows_each_order_alike() -> None:
    one = decider(declared(4, 3, policy=POLICIES["uniform"](floor=0.0)))
    made = [
        one.decide(unit.to_bytes(16, "big"), AT, unit.to_bytes(15, "big")).names
        for unit in range(6_000)
    ]
    counts = Counter(made)
    assert len(counts) == 24
    assert p_value(list(counts.values()), [1 / 24] * 24) > P_LEAST


@pytest.mark.parametrize(("sticky", "days"), [("session", 1), ("unit", 9)])
def test_a_slate_sticks_to_its_session_or_its_unit(sticky: Any, days: int) -> None:
    one = decider(declared(sticky=sticky))
    unit = bytes(range(16))
    made = {one.decide(unit, AT + day * 86_400_000, bytes(15)).names for day in range(days)}
    other = {one.decide(unit, AT + 1, number.to_bytes(15, "big")).names for number in range(9)}
    assert len(made) == len(other) == 1
    assert session_at(unit, AT, 900_000) == session_at(unit, AT + 1, 900_000)


# --- what is neither ------------------------------------------------------------------------------


def test_a_held_out_unit_is_shown_the_whole_default() -> None:
    spec = declared(holdout=0.5)
    one = decider(spec)
    made = [one.decide(unit.to_bytes(16, "big"), AT, bytes(15)) for unit in range(60)]
    held = [each for each in made if each.decision.reason == "holdout"]
    assert 15 < len(held) < 45
    assert {each.names for each in held} == {spec.defaults}
    assert {each.shares for each in held} == {(1.0, 1.0, 1.0)}
    forbidden = [
        one.decide(unit.to_bytes(16, "big"), AT, bytes(15), exclude=["arm-1"]) for unit in range(60)
    ]
    assert all("arm-1" not in each.names for each in forbidden)
    reasons = Counter(each.decision.reason for each in forbidden)
    assert reasons == {"default": len(held), "policy": 60 - len(held)}


@pytest.mark.parametrize("ranking", RANKINGS)
def test_a_pinned_arm_leads_and_the_rest_is_drawn_without_it(ranking: Ranking) -> None:
    spec = declared(ranking=ranking)
    pinned = msgspec.structs.replace(published(spec), pinned=4, pinned_until=AT + 10)
    one = decider(spec, pinned)
    made = [one.decide(unit.to_bytes(16, "big"), AT, bytes(15)) for unit in range(200)]
    assert {each.names[0] for each in made} == {"arm-4"}
    assert {each.decision.reason for each in made} == {"pinned"}
    assert all(len(set(each.names)) == 3 for each in made)
    assert len({each.names for each in made}) > 5
    assert one.decide(bytes(16), AT + 10, bytes(15)).decision.reason == "policy"
    alone = one.decide(bytes(16), AT, bytes(15), eligible=["arm-4"])
    assert (alone.names, alone.shares) == (("arm-4",), (1.0,))


@pytest.mark.parametrize("ranking", RANKINGS)
def test_a_slate_is_as_long_as_there_are_arms(ranking: Ranking) -> None:
    spec = declared(ranking=ranking)
    one = decider(spec)
    assert len(one.decide(bytes(16), AT, bytes(15), eligible=["arm-1", "arm-5"]).names) == 2
    paused = decider(spec, published(spec, out=(0, 1, 2, 3, 4)))
    only = paused.decide(bytes(16), AT, bytes(15))
    assert (only.names, only.shares) == (("arm-5",), (1.0,))


@pytest.mark.parametrize("ranking", RANKINGS)
def test_a_slate_travels_in_its_token(ranking: Ranking) -> None:
    decision = decider(declared(20, 12, ranking=ranking)).decide(bytes(16), AT, bytes(15)).decision
    signer = Signer({1: bytes(32)}, ["page"])
    token = signer.sign(decision)
    assert signer.verify(token) == decision
    assert bool(decision.inclusions) == (ranking == "pooled")
    assert len(token) == (255 if ranking == "pooled" else 191)


def test_a_thousand_arms_make_a_snapshot_of_some_kilobytes() -> None:
    snapshot = published(declared(1_000, 12))
    assert len(snapshot.rankings) < 65_536
    assert shares(snapshot.menu()).min() >= 1e-4 - 1e-12
