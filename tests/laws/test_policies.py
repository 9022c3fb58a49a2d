"""Laws of every policy: floored shares; names mean nothing; the unseen get a chance."""

import re

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core import codec
from croupier.core.arms.bernoulli import Beta
from croupier.core.arms.prior import Prior
from croupier.core.arms.sums import Sums
from croupier.core.arms.table import ArmTable
from croupier.core.experiment import Experiment
from croupier.core.policies.base import MOST_FLOOR, Allocation
from croupier.core.policies.registry import POLICIES, Policy
from croupier.core.policies.thompson import Thompson
from croupier.core.publish import publish
from croupier.core.records import Arm, ArmSet, Declaration
from croupier.core.reward import MICRO
from croupier.core.snapshot import Snapshot, publish_weights
from tests.laws.beliefs import ARMS, BINARY, KINDS, Kind, read

Drawn = list[tuple[float, float]]


def variants() -> dict[str, Allocation]:
    """Each policy as it is by default, and with the floors that it admits."""
    found: dict[str, Allocation] = {}
    for kind, policy in POLICIES.items():
        found[kind] = policy()
        for floor in (0.0, 0.08):
            try:
                other = msgspec.convert({"kind": kind, "floor": floor}, Policy)
            except msgspec.ValidationError:
                continue
            if other.problem(1) is None:
                found[f"{kind}-{floor}"] = other
    found["thompson-deconfounded"] = Thompson(deconfounded=True)
    found["thompson-overdispersed"] = Thompson(deconfounded=True, overdispersed=True)
    return found


VARIANTS = variants()
every_policy = pytest.mark.parametrize("policy", VARIANTS.values(), ids=VARIANTS)
every_default = pytest.mark.parametrize("policy", [p() for p in POLICIES.values()], ids=POLICIES)
SOME_KINDS = st.sampled_from(
    [KINDS[name] for name in ("auto-binary", "auto-scaled", "count-plays")]
)


@every_policy
@given(kind=SOME_KINDS, arms=ARMS)
def test_weights_are_shares_above_the_floor(policy: Policy, kind: Kind, arms: Drawn) -> None:
    weights = publish_weights(policy, read(kind, arms))
    assert len(weights) == len(arms)
    assert sum(weights) == pytest.approx(1.0, abs=1e-12)
    assert min(weights) >= policy.usable_floor(len(arms)) - 1e-12


@every_policy
@given(kind=SOME_KINDS, arms=ARMS)
def test_weights_are_the_floor_and_a_share_of_the_rest(
    policy: Policy, kind: Kind, arms: Drawn
) -> None:
    """p = f + (1 − K·f)·w."""
    posterior, floor = read(kind, arms), policy.usable_floor(len(arms))
    share = policy.weights(posterior)
    assert float(share.sum()) == pytest.approx(1.0, abs=1e-9)
    expected = floor + (1 - len(arms) * floor) * share
    np.testing.assert_allclose(publish_weights(policy, posterior), expected, atol=1e-9)


@every_policy
@given(arms=st.integers(1, 2_000))
def test_floors_together_never_take_more_than_half(policy: Policy, arms: int) -> None:
    asked, used = policy.asked_floor(arms), policy.usable_floor(arms)
    assert arms * used <= MOST_FLOOR + 1e-12
    if arms * asked <= MOST_FLOOR:
        assert used == asked
        assert policy.problem(arms) is None
    elif arms * asked > MOST_FLOOR + 1e-9:
        assert arms * used == pytest.approx(MOST_FLOOR)
        assert "floor" in str(policy.problem(arms))


@every_default
@pytest.mark.parametrize("arms", [1, 2, 9, 10, 11, 1_000])
def test_the_default_floor_always_serves(policy: Policy, arms: int) -> None:
    assert policy.problem(arms) is None
    assert policy.asked_floor(arms) > 0


@every_policy
@given(kind=SOME_KINDS, arms=ARMS, shuffled=st.randoms(use_true_random=False))
def test_renaming_arms_renames_their_weights(
    policy: Policy, kind: Kind, arms: Drawn, shuffled: np.random.Generator
) -> None:
    order = list(range(len(arms)))
    shuffled.shuffle(order)
    here = np.array(publish_weights(policy, read(kind, arms)))
    there = publish_weights(policy, read(kind, [arms[place] for place in order]))
    np.testing.assert_allclose(there, here[order], atol=2e-9)


@every_default
@given(kind=SOME_KINDS, arms=ARMS)
def test_an_unseen_arm_has_a_chance(policy: Policy, kind: Kind, arms: Drawn) -> None:
    weights = publish_weights(policy, read(kind, [*arms, (0.0, 0.0)]))
    assert weights[-1] > 0


TALLIES = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=2, max_size=5)


def beta(arms: list[tuple[int, int]]) -> Beta:
    """What is known after so many successes and failures of each arm."""
    return Beta(tuple(1.0 + hits for hits, _ in arms), tuple(1.0 + misses for _, misses in arms))


@every_policy
@given(arms=TALLIES, place=st.integers(0, 4))
def test_a_success_for_a_failure_never_lowers_a_weight(
    policy: Policy, arms: list[tuple[int, int]], place: int
) -> None:
    place %= len(arms)
    hits, misses = arms[place]
    before = policy.publish(beta([*arms[:place], (hits, misses + 1), *arms[place + 1 :]]))
    after = policy.publish(beta([*arms[:place], (hits + 1, misses), *arms[place + 1 :]]))
    assert after[place] >= before[place] - 2e-9


@pytest.mark.parametrize("name", [name for name in VARIANTS if re.match("thompson|epsilon", name)])
@given(arms=TALLIES, place=st.integers(0, 4))
def test_one_more_success_never_lowers_a_weight(
    name: str, arms: list[tuple[int, int]], place: int
) -> None:
    """Not so where trials alone lower it: an index's bonus shrinks, and so does a decaying ε."""
    policy, place = VARIANTS[name], place % len(arms)
    hits, misses = arms[place]
    before = policy.publish(beta(arms))
    after = policy.publish(beta([*arms[:place], (hits + 1, misses), *arms[place + 1 :]]))
    assert after[place] >= before[place] - 2e-9


# --- what is published ----------------------------------------------------------------------------


def published(policy: Policy, removed: set[int], table: ArmTable, names: str = "wxyz") -> Snapshot:
    spec = Experiment("b", tuple(names), names[0], BINARY, policy=policy)
    arms = tuple(
        Arm(number, name, "removed" if number in removed else "active")
        for number, name in enumerate(names)
    )
    return publish(
        Declaration(version=3, reward_version=2, at=0, spec=spec),
        ArmSet(experiment="b", version=5, at=0, arms=arms),
        {0: table},
        version=7,
        at=11,
        watermark=13,
    )


def tried() -> ArmTable:
    table = ArmTable()
    for arm, (hits, misses) in enumerate(((3, 9), (40, 2), (1, 5))):
        for _ in range(hits):
            table.add(0, arm, Sums.of(MICRO, 0.5))
        for _ in range(misses):
            table.add(0, arm, Sums.of(0, 0.5))
    return table


@every_policy
@given(removed=st.sets(st.integers(0, 3), max_size=3))
def test_a_removed_arm_is_not_published_and_does_not_weigh(
    policy: Policy, removed: set[int]
) -> None:
    snapshot = published(policy, removed, tried())
    active = [number for number in range(4) if number not in removed]
    assert snapshot.arms == tuple(active)
    assert snapshot.names == tuple("wxyz"[number] for number in active)
    assert len(snapshot.weights) == len(active)
    assert sum(snapshot.weights) == pytest.approx(1.0, abs=1e-12)
    full = published(policy, set(), tried())
    assert snapshot.posterior == full.posterior.take(active)
    assert snapshot.weights == full.weights_among(active)


@every_default
def test_names_do_not_matter(policy: Policy) -> None:
    one, other = published(policy, set(), tried()), published(policy, set(), tried(), "abcd")
    assert one.weights == other.weights


@every_default
def test_a_snapshot_says_what_it_was_made_of(policy: Policy) -> None:
    made = published(policy, {1}, tried())
    assert (made.declaration, made.reward_version, made.version) == (3, 2, 7)
    assert (made.at, made.watermark, made.policy) == (11, 13, policy)


@every_default
def test_old_trials_fade_when_they_are_read(policy: Policy) -> None:
    """A half-life halves, a window forgets; the sums themselves stay."""
    table = tried()
    ageing = msgspec.structs.replace(policy, half_life=1_000)
    spec = Experiment("b", tuple("wxy"), "w", BINARY, policy=ageing)
    reading = table.read((0, 1, 2), 2_000, 1_000, spec.policy.age_weight)
    assert reading.n == pytest.approx((6.0, 21.0, 3.0))
    forgetting = msgspec.structs.replace(policy, sliding_window=2_000)
    assert table.read((0, 1, 2), 2_999, 1_000, forgetting.age_weight).n == (12.0, 42.0, 6.0)
    assert table.read((0, 1, 2), 3_000, 1_000, forgetting.age_weight).n == (0.0, 0.0, 0.0)
    assert table.total(1).n == 42


@every_policy
@given(
    kind=st.sampled_from(list(KINDS.values())),
    arms=ARMS,
    some=st.sets(st.integers(0, 5), min_size=1),
    prior=st.none() | st.builds(Prior, mean=st.floats(0.1, 0.9), trials=st.floats(1, 100)),
)
def test_a_snapshot_that_was_stored_restricts_as_if_read_anew(
    policy: Policy, kind: Kind, arms: Drawn, some: set[int], prior: Prior | None
) -> None:
    """All that a policy needs travels: weights among some arms are those had they been alone."""
    places = [place for place in sorted(some) if place < len(arms)] or [0]
    posterior, numbers = read(kind, arms, prior), tuple(range(len(arms)))
    made = Snapshot(
        experiment="b",
        version=1,
        at=0,
        declaration=1,
        reward_version=1,
        watermark=0,
        arms=numbers,
        names=tuple(map(str, numbers)),
        weights=publish_weights(policy, posterior),
        posterior=posterior,
        policy=policy,
    )
    stored = codec.decode(codec.encode(made))
    assert stored == made
    alone = publish_weights(policy, read(kind, [arms[place] for place in places], prior))
    assert stored.weights_among(places) == alone
    assert stored.weights_among(numbers) == made.weights
