"""Rewards: weighted, capped counts and amounts, in whole millionths."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core.reward import MICRO, MOST_IDS, Reward, Term

INFINITE, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("term", "tally", "worth"),
    [
        (Term(1.0), (0, 0), 0),
        (Term(1.0), (1, 0), MICRO),
        (Term(1.0), (7, 0), MICRO),
        (Term(5.0, cap=2), (3, 0), 10 * MICRO),
        (Term(-2.5, cap=9), (2, 0), -5 * MICRO),
        (Term(0.1, cap=3), (3, 0), 300_000),
        (Term(0.01, of="value", max=500), (1, 800 * MICRO), 5 * MICRO),
        (Term(0.01, of="value", max=500), (2, 12_345_678), 123_457),
        (Term(0.000001, of="value", max=500), (1, 499_999), 0),
        (Term(0.000001, of="value", max=500), (1, 500_000), 1),
        (Term(-0.000001, of="value", max=500), (1, 500_000), 0),
        (Term(-0.000001, of="value", max=500), (1, 500_001), -1),
        (Term(1.0, of="value", max=0.5), (1, MICRO), MICRO // 2),
    ],
)
def test_a_term_is_worth(term: Term, tally: tuple[int, int], worth: int) -> None:
    assert term.problem() is None
    assert term.worth(tally) == worth


@given(
    weight=st.integers(-(10**8), 10**8).filter(bool),
    most=st.integers(1, 10**9),
    total=st.integers(0, 10**12),
)
def test_an_amount_is_exact_to_half_a_millionth(weight: int, most: int, total: int) -> None:
    term = Term(weight / MICRO, of="value", max=most / 1000)
    exact = Fraction(weight) * min(Fraction(total), Fraction(most * 1000)) / MICRO
    assert term.problem() is None
    assert 0 <= exact + Fraction(1, 2) - term.worth((1, total)) < 1


def test_a_reward_adds_its_kinds_and_ignores_the_others() -> None:
    reward = Reward({"click": Term(1.0), "buy": Term(0.5, of="value", max=10.0), "no": Term(-3.0)})
    tallies = {"click": (2, 0), "buy": (1, 4 * MICRO), "no": (1, 0), "scroll": (9, 9)}
    assert reward.of(tallies) == 0
    assert reward.of({}) == 0
    assert reward.bounds == (-3.0, 6.0)


@pytest.mark.parametrize(
    ("terms", "binary"),
    [
        ({"click": Term(1.0)}, True),
        ({"click": Term(1.0, cap=1)}, True),
        ({"click": Term(1.0, cap=2)}, False),
        ({"click": Term(2.0)}, False),
        ({"click": Term(-1.0)}, False),
        ({"buy": Term(1.0, of="value", max=1.0)}, False),
        ({"click": Term(1.0), "buy": Term(1.0)}, False),
        ({}, False),
    ],
)
def test_a_reward_is_binary_only_if_it_is_provably_0_or_1(
    terms: dict[str, Term], binary: bool
) -> None:
    assert Reward(terms).binary is binary


@given(
    terms=st.dictionaries(
        st.sampled_from(("click", "buy")),
        st.one_of(
            st.builds(Term, st.sampled_from((1.0, -2.5, 0.1)), cap=st.integers(1, 5)),
            st.builds(Term, st.just(0.5), of=st.just("value"), max=st.sampled_from((0.5, 40.0))),
        ),
        min_size=1,
    ),
    tallies=st.dictionaries(
        st.sampled_from(("click", "buy")),
        st.tuples(st.integers(0, 9), st.integers(0, 10**9)),
    ),
)
def test_a_reward_stays_within_its_bounds(
    terms: dict[str, Term], tallies: dict[str, tuple[int, int]]
) -> None:
    reward = Reward(terms)
    low, high = reward.bounds
    assert low - 1e-6 <= reward.of(tallies) / MICRO <= high + 1e-6


@pytest.mark.parametrize(
    ("term", "says"),
    [
        (Term(0.0), "weight must be a finite"),
        (Term(INFINITE), "weight must be a finite"),
        (Term(-INFINITE), "weight must be a finite"),
        (Term(NAN), "weight must be a finite"),
        (Term(1e9), "weight must be a finite"),
        (Term(1e-13), "weight must be"),
        (Term(1e-7), "multiple of 0.000001"),
        (Term(1.0000005), "multiple of 0.000001"),
        (Term(1.0, cap=0), "cap must be"),
        (Term(1.0, cap=-1), "cap must be"),
        (Term(1.0, cap=MOST_IDS + 1), "cap must be"),
        (Term(1.0, max=3.0), "max goes with"),
        (Term(1.0, of="value"), "needs max"),
        (Term(1.0, of="value", max=0.0), "needs max"),
        (Term(1.0, of="value", max=-1.0), "needs max"),
        (Term(1.0, of="value", max=NAN), "needs max"),
        (Term(1.0, of="value", max=INFINITE), "needs max"),
        (Term(1.0, of="value", max=5.0, cap=2), "cap goes with"),
    ],
)
def test_a_useless_term_says_why(term: Term, says: str) -> None:
    problem = term.problem()
    assert problem is not None
    assert says in problem


@pytest.mark.parametrize("weight", [1.0, 0.1, 0.000001, -7.25, 123_456.789012, 999_999_999.0])
def test_a_usable_weight_is_kept_exactly(weight: float) -> None:
    term = Term(weight)
    assert term.problem() is None
    assert term.worth((1, 0)) == Fraction(str(weight)) * MICRO
