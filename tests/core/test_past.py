"""Past trials: exact sums where they follow, a refusal by column where they cannot be."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core.arms.sums import Sums
from croupier.core.past import PastTrials, RowError, cell_id, content_id, sums_of
from croupier.core.reward import MICRO, Reward, Term

CLICK = Reward({"click": Term(1.0)})
SHOP = Reward({"click": Term(0.5, cap=3), "buy": Term(0.01, of="value", max=250)})
REFUND = Reward({"click": Term(1.0, cap=2), "refund": Term(-1.5)})
LOSS = Reward({"leave": Term(-2.0)})


def a_row(**fields: Any) -> PastTrials:
    numbers = {
        name: Decimal(str(fields[name]))
        for name in ("reward_sum", "reward_square_sum")
        if fields.get(name) is not None
    }
    given: dict[str, Any] = {"arm": "x", "n": 10, "reward_sum": Decimal(4)} | fields | numbers
    return PastTrials(**given)


def in_millionths(value: int, power: int = 1) -> str:
    return format(Decimal(value).scaleb(-6 * power), "f")


REWARDS = st.sampled_from([CLICK, SHOP, REFUND, LOSS])


@given(data=st.data(), reward=REWARDS, propensity=st.sampled_from([1.0, 0.25, 0.07]))
def test_a_row_of_real_trials_is_what_they_add_up_to(
    data: st.DataObject, reward: Reward, propensity: float
) -> None:
    """Whatever trials were seen, their total is taken, and is the sum of each by itself."""
    trials = data.draw(st.lists(_trial(reward), min_size=1, max_size=8))
    each = [Sums.of(trial, propensity) for trial in trials]
    total = sum(each[1:], each[0])
    row = a_row(
        n=len(trials),
        reward_sum=in_millionths(total.r),
        reward_square_sum=in_millionths(total.r2, 2),
        propensity=propensity,
    )
    assert sums_of(row, reward) == total


def _trial(reward: Reward) -> st.SearchStrategy[int]:
    tallies = st.fixed_dictionaries(
        {kind: st.tuples(st.integers(0, 4), st.integers(0, 300 * MICRO)) for kind in reward.terms}
    )
    return tallies.map(reward.of)


@pytest.mark.parametrize(
    ("reward", "fields", "squares"),
    [
        (CLICK, {"n": 1000, "reward_sum": 41}, 41),
        (LOSS, {"n": 5, "reward_sum": -6}, 12),
        (Reward({"enrol": Term(2.5)}), {"n": 4, "reward_sum": 7.5}, 18.75),
        (SHOP, {"n": 1, "reward_sum": 0.3}, 0.09),
        (SHOP, {"n": 3, "reward_sum": 0}, 0),
        (SHOP, {"n": 2, "reward_sum": 8}, 32),
    ],
)
def test_squares_are_derived_where_they_follow(
    reward: Reward, fields: dict[str, Any], squares: float
) -> None:
    assert sums_of(a_row(**fields), reward).r2 == round(squares * MICRO**2)


@pytest.mark.parametrize(
    ("reward", "fields", "column", "said"),
    [
        (CLICK, {"n": 0}, "n", "from 1 to"),
        (CLICK, {"n": -3}, "n", "from 1 to"),
        (CLICK, {"n": 10**13}, "n", "from 1 to"),
        (CLICK, {"reward_sum": 11}, "reward_sum", "a mean of 1.1 cannot be"),
        (CLICK, {"reward_sum": -1}, "reward_sum", "from 0 to 1"),
        (CLICK, {"reward_sum": 2.5}, "reward_sum", "not a multiple of 1"),
        (CLICK, {"reward_sum": "NaN"}, "reward_sum", "not a usable number"),
        (CLICK, {"reward_sum": "Infinity"}, "reward_sum", "not a usable number"),
        (CLICK, {"reward_sum": "1e999999999"}, "reward_sum", "not a usable number"),
        (CLICK, {"reward_sum": "1." + "0" * 99 + "1"}, "reward_sum", "not a usable number"),
        (CLICK, {"reward_square_sum": 5}, "reward_square_sum", "lies between 4 and 4"),
        (SHOP, {}, "reward_square_sum", "does not follow"),
        (SHOP, {"reward_square_sum": 1.5}, "reward_square_sum", "between 1.6 and 16"),
        (SHOP, {"reward_square_sum": 17}, "reward_square_sum", "between 1.6 and 16"),
        (SHOP, {"reward_square_sum": -1}, "reward_square_sum", "cannot be"),
        (CLICK, {"propensity": 0.0}, "propensity", "share"),
        (CLICK, {"propensity": 1.5}, "propensity", "share"),
        (CLICK, {"propensity": float("nan")}, "propensity", "share"),
    ],
)
def test_what_cannot_be_is_refused_by_column(
    reward: Reward, fields: dict[str, Any], column: str, said: str
) -> None:
    with pytest.raises(RowError, match=said) as refused:
        sums_of(a_row(**fields), reward)
    assert refused.value.column == column


def test_a_tiny_number_is_none() -> None:
    assert sums_of(a_row(reward_sum="1e-999999999"), CLICK).r == 0
    assert sums_of(a_row(reward_sum="0e-999999999"), CLICK).r == 0


def test_squares_that_were_rounded_by_a_warehouse_are_moved_to_what_is_possible() -> None:
    row = a_row(n=3, reward_sum="0.3", reward_square_sum="0.030000000000000006")
    assert sums_of(row, SHOP).r2 == 30_000_000_000
    assert sums_of(a_row(reward_square_sum="4.000000001"), CLICK).r2 == 4 * MICRO**2


def test_a_cell_is_what_a_row_is_about_and_not_its_numbers() -> None:
    row = a_row()
    cell = cell_id("k", "b", 0, None, row)
    assert cell == cell_id("k", "b", 0, None, a_row(n=11, reward_sum=5))
    others = {
        cell_id("l", "b", 0, None, row),
        cell_id("k", "c", 0, None, row),
        cell_id("k", "b", 1, None, row),
        cell_id("k", "b", 0, 7, row),
        cell_id("k", "b", 0, None, a_row(slot=1)),
        cell_id("k", "b", 0, None, a_row(propensity=0.5)),
    }
    assert len(others | {cell}) == 7
    assert content_id(cell, Sums(1)) != content_id(cell, Sums(2))
