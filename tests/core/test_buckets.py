"""Token buckets: the bound holds for each key, whatever is asked, and memory is bounded."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core.buckets import Buckets, Rate, parse_rate

RATES = st.builds(Rate, st.integers(1, 20), st.sampled_from([0.5, 1.0, 60.0]))
ASKED = st.lists(
    st.tuples(
        st.sampled_from("abcdef"), st.integers(1, 8), st.sampled_from([0.0, 0.01, 0.2, 1.0, 9.0])
    ),
    max_size=60,
)


@given(rate=RATES, asked=ASKED, most=st.integers(1, 8))
def test_never_more_than_a_burst_and_the_rate_pass(
    rate: Rate, asked: list[tuple[str, int, float]], most: int
) -> None:
    """In every stretch between two requests, for every key, also where keys are forgotten."""
    buckets, now = Buckets(rate, most), 0.0
    passed: dict[str, list[tuple[float, int]]] = {}
    for who, amount, pause in asked:
        now += pause
        if buckets.take(who, amount, now) == 0:
            passed.setdefault(who, []).append((now, amount))
        assert len(buckets) <= most
    for taken in passed.values():
        for first in range(len(taken)):
            for last in range(first, len(taken)):
                stretch = taken[last][0] - taken[first][0]
                bound = rate.amount * (1 + stretch / rate.seconds)
                assert sum(amount for _, amount in taken[first : last + 1]) <= bound + 1e-6


@given(rate=RATES, asked=ASKED)
def test_whoever_waits_as_long_as_told_comes_through(
    rate: Rate, asked: list[tuple[str, int, float]]
) -> None:
    buckets, now = Buckets(rate), 0.0
    for who, amount, pause in asked:
        now += pause
        wait = buckets.take(who, amount, now)
        if amount > rate.amount:
            assert math.isinf(wait)
        elif wait:
            now += wait
            assert buckets.take(who, amount, now) == 0


@given(rate=RATES, asked=ASKED)
def test_a_refusal_costs_nothing(rate: Rate, asked: list[tuple[str, int, float]]) -> None:
    """Asking too much, too often, changes nothing of what is admitted otherwise."""
    patient, pushy, now = Buckets(rate), Buckets(rate), 0.0
    for who, amount, pause in asked:
        now += pause
        assert (patient.take(who, amount, now) == 0) == (pushy.take(who, amount, now) == 0)
        pushy.take(who, rate.amount + 1, now)


def test_a_crowd_of_strangers_leaves_bounded_memory_and_those_inside_alone() -> None:
    buckets = Buckets(Rate(2, 1.0), most=3)
    assert [buckets.take(who, 1, 0.0) for who in "abc"] == [0, 0, 0]
    crowd = [buckets.take(f"stranger-{number}", 1, 0.0) for number in range(100)]
    assert crowd.count(0.0) == 2
    assert len(buckets) == 3
    assert buckets.take("a", 1, 0.0) == 0
    assert buckets.take("newcomer", 1, 10.0) == 0
    assert len(buckets) == 1


@pytest.mark.parametrize("text", ["", "5", "0/s", "-1/s", "5/", "5/0s", "x/s", "5/year", "1e3/s"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_rate(text)
