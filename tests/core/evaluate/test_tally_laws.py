"""Laws of tallies: a commutative monoid to the last bit, whatever columns are counted."""

from collections.abc import Callable
from math import fsum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core.arms.panels import FloatArray
from croupier.core.evaluate.exact import as_float, exact_sum
from croupier.core.evaluate.model import FOLDS, RewardModel
from croupier.core.evaluate.rankings import Rankings, ranking_columns
from croupier.core.evaluate.rounds import Columns, Rounds, columns
from croupier.core.evaluate.tally import Tally

ANY = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=12)
PART = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 7))


def decisions(dice: np.random.Generator, n: int) -> Columns:
    logged, target, model, expected = dice.uniform(0.001, 1.0, (4, n))
    reward = dice.normal(size=n)
    return columns(Rounds(reward, logged, target, model, expected, expected / 2, 1 / logged))


def rankings(dice: np.random.Generator, n: int) -> Columns:
    reward, slot, choice, model, expected = dice.lognormal(size=(5, n, 3))
    return ranking_columns(Rankings(reward, slot, choice, model, expected))


KINDS: dict[str, Callable[[np.random.Generator, int], Columns]] = {
    "decisions": decisions,
    "rankings": rankings,
}


def tally(kind: str, part: tuple[int, int]) -> Tally:
    seed, n = part
    return Tally.of(KINDS[kind](np.random.default_rng(seed), n))


@pytest.mark.parametrize("kind", KINDS)
@given(one=PART, two=PART, three=PART)
def test_a_tally_is_a_commutative_monoid(
    kind: str, one: tuple[int, int], two: tuple[int, int], three: tuple[int, int]
) -> None:
    a, b, c = (tally(kind, part) for part in (one, two, three))
    assert a + Tally() == a == Tally() + a
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 9), other=st.integers(0, 2**32 - 1))
def test_any_split_and_order_gives_the_same_tally(
    kind: str, seed: int, cut: int, other: int
) -> None:
    whole = KINDS[kind](np.random.default_rng(seed), 9)
    shuffled = np.random.default_rng(other).permutation(9)
    parts = [
        {name: column[piece] for name, column in whole.items()}
        for piece in (shuffled[:cut], shuffled[cut:])
    ]
    assert Tally.of(parts[0]) + Tally.of(parts[1]) == Tally.of(whole)


@given(ANY)
def test_an_exact_sum_is_the_correctly_rounded_one(values: list[float]) -> None:
    try:
        wanted = fsum(values)
    except OverflowError:
        return
    try:
        assert as_float(exact_sum(np.array(values, dtype=np.float64))) == wanted
    except OverflowError:
        assert abs(wanted) > 1e308


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_not_summed(bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        exact_sum(np.array([1.0, bad]))


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 2), st.floats(-9, 9)))
)
def test_reward_models_of_parts_add_up(rounds: list[tuple[int, int, int, float]]) -> None:
    def learned(part: list[tuple[int, int, int, float]]) -> RewardModel:
        if not part:
            return RewardModel(3, 4)
        position, arm, fold = np.array([row[:3] for row in part], dtype=np.int64).T
        reward: FloatArray = np.array([row[3] for row in part])
        return RewardModel(3, 4).add(position, arm, fold, reward)

    half = len(rounds) // 2
    together, parts = learned(rounds[::-1]), learned(rounds[:half])
    parts += learned(rounds[half:])
    assert (together.n == parts.n).all()
    assert (together.r == parts.r).all()
    assert together.expected().shape == (FOLDS, 3, 4)
    assert (together.grown(5, 6).n[:, :3, :4] == together.n).all()
