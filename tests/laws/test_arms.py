"""Laws of an arm's state: sums are a commutative monoid, exact, and read without being changed."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.arms.table import HOURLY_FOR, ArmTable, roll_up, totals
from croupier.core.duration import DAY, HOUR
from croupier.core.reward import MICRO

REWARDS = st.integers(-(10**9) * MICRO, 10**9 * MICRO)
TRIALS = st.lists(st.tuples(REWARDS, st.floats(2.0**-40, 1.0)), max_size=8)
ANY_SUMS = st.builds(Sums, *[st.integers(-(10**40), 10**40)] * len(Sums._fields))


def state(trials: list[tuple[int, float]]) -> Sums:
    return reduce(Sums.__add__, (Sums.of(*trial) for trial in trials), Sums())


@given(ANY_SUMS)
def test_nothing_learned_is_neutral(some: Sums) -> None:
    assert some + Sums() == some == Sums() + some


@given(ANY_SUMS, ANY_SUMS, ANY_SUMS)
def test_sums_add_in_any_grouping_and_order(one: Sums, two: Sums, three: Sums) -> None:
    assert (one + two) + three == one + (two + three)
    assert one + two == two + one


@given(ANY_SUMS)
def test_sums_survive_encoding(some: Sums) -> None:
    assert Sums.decode(some.encode()) == some


@pytest.mark.parametrize("text", ["", "1", "1 2 3 4 5 6 7 8 9", "1 2 3 4 5 6 7 x", "1.0 " * 8])
def test_what_is_not_eight_integers_is_not_decoded(text: str) -> None:
    with pytest.raises(ValueError):
        Sums.decode(text)


@given(TRIALS, TRIALS, st.randoms(use_true_random=False))
def test_trials_sum_the_same_in_any_order_and_any_split(
    one: list[tuple[int, float]], two: list[tuple[int, float]], shuffled: np.random.Generator
) -> None:
    together = [*one, *two]
    expected = state(one) + state(two)
    shuffled.shuffle(together)
    assert state(together) == expected


@given(TRIALS)
def test_sums_are_the_sums_that_their_names_say(trials: list[tuple[int, float]]) -> None:
    inverse = [(r, round(MICRO / p)) for r, p in trials]
    assert state(trials) == (
        len(trials),
        sum(r for r, _ in inverse),
        sum(r**2 for r, _ in inverse),
        sum(w for _, w in inverse),
        sum(w**2 for _, w in inverse),
        sum(w * r for r, w in inverse),
        sum(w**2 * r for r, w in inverse),
        sum(w**2 * r**2 for r, w in inverse),
    )


# --- the table, read ------------------------------------------------------------------------------

ROWS = st.lists(
    st.tuples(
        st.integers(0, 5).map(lambda hour: hour * HOUR),
        st.integers(0, 3),
        st.integers(0, 6 * MICRO),
    ),
    max_size=20,
)


def halving(age: FloatArray) -> FloatArray:
    return np.asarray(np.where(age < 4 * HOUR, np.exp2(-age / HOUR), 0.0))


@given(rows=ROWS, arms=st.permutations([0, 1, 2, 9]), early=st.integers(0, 20))
def test_a_reading_is_the_weighted_sum_over_periods(
    rows: list[tuple[int, int, int]], arms: list[int], early: int
) -> None:
    """Read in the middle too: what was read before does not show in what is read after."""
    table, watermark = ArmTable(), 6 * HOUR
    for place, (period, arm, reward) in enumerate(rows):
        if place == early:
            table.read((0, 3), watermark, HOUR, np.ones_like)
            table.read(arms, watermark, HOUR, halving)
        table.add(period, arm, Sums.of(reward, 0.5))
    reading = table.read(arms, watermark, HOUR, halving)
    weight = {hour * HOUR: float(halving(np.array([(5.0 - hour) * HOUR]))[0]) for hour in range(6)}
    for place, arm in enumerate(arms):
        mine = [(weight[period], r / MICRO) for period, number, r in rows if number == arm]
        assert reading.n[place] == pytest.approx(sum(w for w, _ in mine), abs=1e-12)
        assert reading.r[place] == pytest.approx(sum(w * r for w, r in mine), abs=1e-12)
        assert reading.r2[place] == pytest.approx(sum(w * r * r for w, r in mine), abs=1e-12)
        assert table.total(arm) == state([(r, 0.5) for _, number, r in rows if number == arm])


# --- rolling up -----------------------------------------------------------------------------------

KEYS = st.builds(
    StateKey,
    experiment=st.sampled_from("bc"),
    arm=st.integers(0, 2),
    slot=st.integers(0, 1),
    reward_version=st.integers(1, 2),
    stratum=st.sampled_from(("policy", "holdout")),
    period=st.integers(0, 6 * 24).map(lambda hour: hour * HOUR),
)
STATES = st.dictionaries(KEYS, st.builds(Sums.of, REWARDS, st.just(0.5)), max_size=12)
WATERMARKS = st.integers(0, 8 * 24).map(lambda hour: HOURLY_FOR + hour * HOUR)


def applied(rows: dict[StateKey, Sums], changes: dict[StateKey, Sums]) -> dict[StateKey, Sums]:
    """As a state store commits them: added, and gone when nothing is left."""
    after = {key: rows.get(key, Sums()) + changes.get(key, Sums()) for key in {*rows, *changes}}
    return {key: sums for key, sums in after.items() if any(sums)}


@given(rows=STATES, watermark=WATERMARKS)
def test_rolling_up_changes_no_total(rows: dict[StateKey, Sums], watermark: int) -> None:
    after = applied(rows, roll_up(rows, watermark))
    assert totals(after.items()) == totals(rows.items())


@given(rows=STATES, watermark=WATERMARKS)
def test_rolling_up_again_changes_nothing(rows: dict[StateKey, Sums], watermark: int) -> None:
    after = applied(rows, roll_up(rows, watermark))
    assert roll_up(after, watermark) == {}


@given(rows=STATES, watermark=WATERMARKS)
def test_rolling_up_keeps_a_state_where_it_was_but_for_the_hour(
    rows: dict[StateKey, Sums], watermark: int
) -> None:
    """Old periods become UTC days, the last 32 days keep their hours."""
    after = applied(rows, roll_up(rows, watermark))
    for key in after:
        assert key.period % DAY == 0 or key.period // DAY * DAY + DAY + HOURLY_FOR > watermark
    for key, sums in rows.items():
        if key.period >= watermark - HOURLY_FOR:
            assert after[key] == sums
    days = {key._replace(period=key.period // DAY) for key in rows}
    assert {key._replace(period=key.period // DAY) for key in after} <= days
