"""Laws of deciding: the same answer again, and propensities that are the frequencies.

The units are the numbers 0, 1, 2 … and the draws are hashes, so every figure here is a constant: a
test that passes passes for ever. P_LEAST is what a fair draw would miss once in 10,000 such tests.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from croupier.core.arms.bernoulli import Beta
from croupier.core.arms.posterior import Posterior
from croupier.core.decide import Choice, Decider
from croupier.core.experiment import Experiment, Sticky
from croupier.core.menu import as_float32
from croupier.core.policies.registry import POLICIES, Policy
from croupier.core.policies.thompson import Thompson
from croupier.core.records import Declaration
from croupier.core.reward import Reward, Term
from croupier.core.snapshot import Snapshot, publish_weights

UNITS, FEWER, P_LEAST = 200_000, 20_000, 1e-4
NAMES = ("v", "w", "x", "y", "z")
ARMS = (3, 0, 11, 6, 20)
BELIEF = Beta((12.0, 14.0, 15.0, 9.0, 16.0), (90.0, 90.0, 90.0, 90.0, 95.0))
AT = 1_800_000_000_000
STICKY: tuple[Sticky, ...] = ("session", "unit", "decision")


def decider(
    sticky: Sticky = "session",
    holdout: float = 0.0,
    name: str = "b",
    weights: tuple[float, ...] | None = None,
    policy: Policy | None = None,
    posterior: Posterior = BELIEF,
) -> Decider:
    policy = policy or Thompson()
    snapshot = Snapshot(
        experiment=name,
        version=1,
        at=0,
        declaration=1,
        reward_version=1,
        watermark=0,
        arms=ARMS,
        names=NAMES,
        weights=weights or publish_weights(policy, posterior),
        posterior=posterior,
        policy=policy,
    )
    reward = Reward({"click": Term(1.0)})
    spec = Experiment(name, NAMES, "x", reward, sticky=sticky, holdout=holdout, policy=policy)
    return Decider(snapshot, Declaration(version=1, reward_version=1, at=0, spec=spec))


def choices(decide: Decider, count: int = UNITS, **request: Any) -> list[Choice]:
    return [
        decide.decide(unit.to_bytes(16, "big"), AT, unit.to_bytes(15, "big"), **request)
        for unit in range(count)
    ]


def p_value(seen: Sequence[int], expected: Sequence[float]) -> float:
    """Pearson's chi-square against given frequencies."""
    total = sum(seen)
    distance = sum((n - total * p) ** 2 / (total * p) for n, p in zip(seen, expected, strict=True))
    return float(special.chdtrc(len(seen) - 1, distance))


def assert_drawn_as_said(made: list[Choice]) -> None:
    """Each arm says one propensity; together they are 1, and the frequencies."""
    counts = Counter((choice.arm, choice.propensity) for choice in made)
    shares = dict(counts.keys())
    assert len(shares) == len(counts)
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-9)
    assert p_value(list(counts.values()), list(shares.values())) > P_LEAST
    for choice in made[:100]:
        assert choice.decision.propensities == (as_float32(choice.propensity),)
        assert choice.decision.slate == (ARMS[NAMES.index(choice.arm)],)


@pytest.mark.long
@pytest.mark.parametrize("sticky", STICKY)
def test_a_propensity_is_the_frequency_with_which_the_arm_is_drawn(sticky: Sticky) -> None:
    assert_drawn_as_said(choices(decider(sticky)))


@pytest.mark.parametrize("sticky", STICKY)
def test_it_still_is_when_arms_are_excluded(sticky: Sticky) -> None:
    made = choices(decider(sticky), FEWER, exclude=("v", "z"), eligible=("v", "w", "x", "y"))
    assert {choice.arm for choice in made} == {"w", "x", "y"}
    assert_drawn_as_said(made)


@pytest.mark.parametrize("sticky", STICKY)
def test_a_holdout_takes_its_share_and_leaves_the_rest_as_said(sticky: Sticky) -> None:
    made = choices(decider(sticky, holdout=0.2), FEWER)
    held = [choice for choice in made if choice.decision.reason == "holdout"]
    assert {(choice.arm, choice.propensity) for choice in held} == {("x", 1.0)}
    assert p_value([len(held), len(made) - len(held)], [0.2, 0.8]) > P_LEAST
    assert_drawn_as_said([choice for choice in made if choice.decision.reason == "policy"])


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5])
def test_a_holdout_is_as_large_as_declared(share: float) -> None:
    decide = decider(holdout=share)
    held = sum(decide._held_out(unit.to_bytes(16, "big")) for unit in range(UNITS))
    assert p_value([held, UNITS - held], [share, 1 - share]) > P_LEAST


def test_a_growing_holdout_keeps_whom_it_holds() -> None:
    small, large = (
        {choice.decision.unit for choice in choices(decider(holdout=share), 20_000)
         if choice.decision.reason == "holdout"}
        for share in (0.1, 0.3)
    )  # fmt: skip
    assert small < large


def test_a_holdout_that_may_not_be_shown_the_default_is_drawn_for_and_trains_nothing() -> None:
    made = choices(decider(holdout=0.5), FEWER, exclude=("x",))
    held = [choice for choice in made if choice.decision.reason == "default"]
    assert p_value([len(held), FEWER - len(held)], [0.5, 0.5]) > P_LEAST
    assert_drawn_as_said(held)


@pytest.mark.parametrize("sticky", STICKY)
def test_two_experiments_draw_independently(sticky: Sticky) -> None:
    """Also the holdout of one and the draw of the same: each has its own salt."""
    one, other = (choices(decider(sticky, name=name), FEWER) for name in ("b", "c"))
    assert_independent([choice.arm for choice in one], [choice.arm for choice in other])
    held = choices(decider(sticky, name="b", holdout=0.3), FEWER)
    assert_independent([choice.arm for choice in one], [choice.decision.reason for choice in held])


def assert_independent(rows: Sequence[str], columns: Sequence[str]) -> None:
    """Pearson's chi-square of a contingency table."""
    row_names, column_names = sorted(set(rows)), sorted(set(columns))
    seen = Counter(zip(rows, columns, strict=True))
    table = np.array([[seen[r, c] for c in column_names] for r in row_names], dtype=np.float64)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    degrees = (len(row_names) - 1) * (len(column_names) - 1)
    distance = float(((table - expected) ** 2 / expected).sum())
    assert float(special.chdtrc(degrees, distance)) > P_LEAST


# --- sticking -------------------------------------------------------------------------------------


@given(
    sticky=st.sampled_from(STICKY),
    unit=st.binary(min_size=16, max_size=16),
    at=st.integers(0, 2**45),
    exclude=st.sets(st.sampled_from(NAMES), max_size=4),
    holdout=st.sampled_from((0.0, 0.5)),
)
def test_the_same_request_gets_the_same_answer(
    sticky: Sticky, unit: bytes, at: int, exclude: set[str], holdout: float
) -> None:
    """Asked again, of the same decider or of another server's."""
    one, other = decider(sticky, holdout), decider(sticky, holdout)
    answer = one.decide(unit, at, bytes(15), exclude=exclude)
    other.decide(bytes(16), at, bytes(15), exclude=NAMES[1:])
    assert one.decide(unit, at, bytes(15), exclude=exclude) == answer
    assert other.decide(unit, at, bytes(15), exclude=sorted(exclude)) == answer


@pytest.mark.parametrize(("sticky", "arms"), [("session", 1), ("unit", 1), ("decision", 5)])
def test_a_unit_sticks_within_its_session_as_declared(sticky: Sticky, arms: int) -> None:
    decide = decider(sticky)
    made = [decide.decide(bytes(16), AT, number.to_bytes(15, "big")) for number in range(100)]
    assert len({choice.arm for choice in made}) == arms


@pytest.mark.parametrize(("sticky", "arms"), [("session", 5), ("unit", 1)])
def test_a_unit_sticks_beyond_its_session_as_declared(sticky: Sticky, arms: int) -> None:
    decide, length = decider(sticky), 900_000
    made = [decide.decide(bytes(16), AT + day * length, bytes(15)) for day in range(100)]
    assert len({choice.arm for choice in made}) == arms
    sessions = [choice.decision.session for choice in made]
    assert {later - sooner for sooner, later in pairwise(sessions)} == {1}


def moved(before: tuple[float, ...], after: tuple[float, ...]) -> float:
    """The share of units whose arm another distribution changes."""
    one, other = (choices(decider("unit", weights=w), FEWER) for w in (before, after))
    return sum(a.arm != b.arm for a, b in zip(one, other, strict=True)) / len(one)


def test_where_one_arm_grows_as_few_units_move_as_possible() -> None:
    """The total variation distance, within three standard errors."""
    before = (0.1, 0.2, 0.3, 0.25, 0.15)
    rest = (1 - 0.4) / (1 - before[0])
    after = (0.4, *(weight * rest for weight in before[1:]))
    distance = 0.4 - before[0]
    assert abs(moved(before, after) - distance) < 3 * (distance * (1 - distance) / FEWER) ** 0.5


def test_where_many_arms_change_rendezvous_moves_as_few_as_any_hash_can() -> None:
    """P(stay) = Σ_i 1 / Σ_j max(p_j/p_i, q_j/q_i), which no method betters for all pairs at once.

    Source: Moulton & Jiang 2018, Maximally consistent sampling and the Jaccard index of
    probability distributions. It is a little more than the total variation distance.
    """
    p, q = np.array((0.1, 0.2, 0.3, 0.25, 0.15)), np.array((0.3, 0.1, 0.25, 0.05, 0.3))
    stay = sum(1 / np.maximum(p / p[i], q / q[i]).sum() for i in range(len(p)))
    share = moved(tuple(p.tolist()), tuple(q.tolist()))
    assert abs(share - (1 - stay)) < 3 * (stay * (1 - stay) / FEWER) ** 0.5
    distance = 0.5 * np.abs(p - q).sum()
    assert distance < share < 2 * distance / (1 + distance) + 0.005


def test_the_arm_that_leaves_takes_only_its_own_units_along() -> None:
    before = (0.2, 0.2, 0.2, 0.2, 0.2)
    after = (0.0, 0.25, 0.25, 0.25, 0.25)
    one, other = (choices(decider("unit", weights=w), 20_000) for w in (before, after))
    assert all(a.arm == b.arm for a, b in zip(one, other, strict=True) if a.arm != "v")
    assert "v" not in {choice.arm for choice in other}


# --- restricted -----------------------------------------------------------------------------------


@given(
    kind=st.sampled_from(sorted(POLICIES)),
    left=st.sets(st.sampled_from(NAMES), min_size=1, max_size=5),
    unit=st.binary(min_size=16, max_size=16),
)
def test_fewer_arms_get_the_weights_of_the_policy_for_those_arms(
    kind: str, left: set[str], unit: bytes
) -> None:
    """Never the published weights renormalised: it is another contest."""
    policy: Policy = msgspec.convert({"kind": kind}, Policy)
    decide = decider(policy=policy)
    places = sorted(NAMES.index(name) for name in left)
    expected = dict(
        zip(
            (NAMES[place] for place in places),
            publish_weights(policy, BELIEF.take(places)),
            strict=True,
        )
    )
    by_eligible = decide.decide(unit, AT, bytes(15), eligible=left)
    by_exclude = decide.decide(unit, AT, bytes(15), exclude=set(NAMES) - left)
    assert by_eligible == by_exclude
    assert by_eligible.propensity == expected[by_eligible.arm]


def test_a_leader_left_out_does_not_leave_its_rivals_equal() -> None:
    """Renormalised, two arms of weight 1e-9 and 1e-12 would be 1000 : 1; their contest is not."""
    belief = Beta((900.0, 20.0, 18.0, 1.0, 1.0), (100.0, 80.0, 82.0, 50.0, 50.0))
    decide = decider(posterior=belief)
    rest = {decide.decide(u.to_bytes(16, "big"), AT, bytes(15), exclude=("v", "y", "z"))
            for u in range(50)}  # fmt: skip
    shares = {choice.arm: choice.propensity for choice in rest}
    assert shares["w"] == pytest.approx(publish_weights(Thompson(), belief.take((1, 2)))[0])
    assert 0.5 < shares["w"] < 0.9
