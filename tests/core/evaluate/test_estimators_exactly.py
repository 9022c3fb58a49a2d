"""Unbiasedness by arithmetic: every action of a small problem, in fractions, no dice."""

from collections.abc import Callable
from fractions import Fraction
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest

from croupier.core.evaluate.estimators import ESTIMATORS, snips
from croupier.core.evaluate.intervals import Limits
from croupier.core.evaluate.rankings import Rankings, ranking_columns
from croupier.core.evaluate.rounds import Rounds, columns
from croupier.core.evaluate.tally import Tally

LOGGED = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
TARGET = [Fraction(1, 10), Fraction(3, 10), Fraction(6, 10)]
RATE = [Fraction(1, 5), Fraction(2, 5), Fraction(3, 7)]
WRONG_MODEL = [Fraction(9, 10), Fraction(0), Fraction(1, 2)]
VALUE = sum(t * r for t, r in zip(TARGET, RATE, strict=True))


def expectation(column: str, model: list[Fraction], logged: list[Fraction] = LOGGED) -> Fraction:
    """The mean of a column over arms drawn as logged and rewards of 0 or 1."""
    expected = sum(t * q for t, q in zip(TARGET, model, strict=True))
    total = Fraction(0)
    for arm, reward in product(range(3), (0, 1)):
        chance = LOGGED[arm] * (RATE[arm] if reward else 1 - RATE[arm])
        terms = columns(
            Rounds(
                *(
                    _one(x)
                    for x in (Fraction(reward), logged[arm], TARGET[arm], model[arm], expected)
                )
            )
        )
        total += chance * terms[column][0]
    return total


def _one(value: Any) -> Any:
    return np.array([value], dtype=object)


@pytest.mark.parametrize("column", ["wr", "dr"])
def test_ips_and_dr_are_unbiased_whatever_the_model(column: str) -> None:
    assert expectation(column, WRONG_MODEL) == VALUE


def test_the_mean_weight_is_one() -> None:
    assert expectation("w", WRONG_MODEL) == 1


def test_dr_with_a_right_model_forgives_wrong_propensities_and_ips_does_not() -> None:
    wrong = [Fraction(1, 3)] * 3
    assert expectation("dr", RATE, wrong) == VALUE
    assert expectation("wr", RATE, wrong) != VALUE
    assert expectation("dr", WRONG_MODEL, wrong) != VALUE


def test_dm_is_as_wrong_as_its_model() -> None:
    assert expectation("dm", RATE) == VALUE
    assert expectation("dm", WRONG_MODEL) != VALUE


def test_snips_moves_with_the_rewards_and_ips_does_not() -> None:
    reward, logged = np.array([0.0, 1.0, 1.0, 0.0]), np.array([0.5, 0.2, 0.5, 0.1])
    target = np.array([0.3, 0.6, 0.1, 0.4])
    one, shifted = (
        Tally.of(columns(Rounds(reward + shift, logged, target))) for shift in (0.0, 7.0)
    )
    assert snips(shifted) == pytest.approx(snips(one) + 7.0, rel=1e-14)
    assert ESTIMATORS["ips"].value(shifted) != pytest.approx(ESTIMATORS["ips"].value(one) + 7.0)


# --- rankings of three arms at two positions ------------------------------------------------------

Reward = Callable[[tuple[int, ...], int], Fraction]


def alone(ranking: tuple[int, ...], place: int) -> Fraction:
    """A reward that depends on arm and position only."""
    return RATE[ranking[place]] / (1 + place)


def after(ranking: tuple[int, ...], place: int) -> Fraction:
    """A reward that is lower after a good arm."""
    return alone(ranking, place) * (1 if not place else 1 - RATE[ranking[0]])


def chance(weights: list[Fraction], ranking: tuple[int, ...]) -> list[Fraction]:
    """P(arm at each position, given the arms above it), drawn without replacement."""
    first, second = ranking
    return [weights[first], weights[second] / (1 - weights[first])]


def marginal(weights: list[Fraction], ranking: tuple[int, ...], place: int) -> Fraction:
    """P(this arm at this position), whatever stands above."""
    return sum(
        (
            chance(weights, other)[0] * chance(weights, other)[1]
            for other in permutations(range(3), 2)
            if other[place] == ranking[place]
        ),
        Fraction(0),
    )


def model(place: int, arm: int) -> Fraction:
    """A wrong one."""
    return Fraction(1 + arm, 7 + place)


def ranked(column: str, reward: Reward) -> tuple[Fraction, Fraction]:
    """The mean of an estimator's term over all rankings as logged, and the target's true value."""
    mean = value = Fraction(0)
    for ranking in permutations(range(3), 2):
        logged, target = chance(LOGGED, ranking), chance(TARGET, ranking)
        rewards = [reward(ranking, place) for place in (0, 1)]
        free = [arm for arm in range(3) if arm != ranking[0]]
        below = {arm: chance(TARGET, (ranking[0], arm))[1] for arm in free}
        one = Rankings(
            reward=_row(rewards),
            slot=_row(
                [marginal(TARGET, ranking, p) / marginal(LOGGED, ranking, p) for p in (0, 1)]
            ),
            choice=_row([t / p for t, p in zip(target, logged, strict=True)]),
            model=_row([model(place, ranking[place]) for place in (0, 1)]),
            expected=_row(
                [
                    sum(TARGET[arm] * model(0, arm) for arm in range(3)),
                    sum(below[arm] * model(1, arm) for arm in free),
                ]
            ),
        )
        mean += logged[0] * logged[1] * ranking_columns(one)[column][0]
        value += target[0] * target[1] * sum(rewards, Fraction(0))
    return mean, value


def _row(values: list[Any]) -> Any:
    return np.array([values], dtype=object)


@pytest.mark.parametrize("column", ["item_position", "cascade", "cascade_dr"])
def test_without_interaction_all_three_give_the_value(column: str) -> None:
    mean, value = ranked(column, alone)
    assert mean == value


def test_with_interaction_the_cascade_estimators_do_and_item_position_does_not() -> None:
    for column in ("cascade", "cascade_dr"):
        mean, value = ranked(column, after)
        assert mean == value
    mean, value = ranked("item_position", after)
    assert mean != value


def test_with_one_position_rankings_are_decisions() -> None:
    dice = np.random.default_rng(4)
    reward, logged, target, q, expected = dice.uniform(0.1, 1.0, (5, 30))
    one = columns(Rounds(reward, logged, target, q, expected))
    weight = (target / logged)[:, None]
    many = ranking_columns(Rankings(reward[:, None], weight, weight, q[:, None], expected[:, None]))
    for ours, theirs in (("wr", "item_position"), ("wr", "cascade"), ("dr", "cascade_dr")):
        assert many[theirs] == pytest.approx(one[ours], rel=1e-14)
    found = ESTIMATORS["cascade"].interval(Tally.of(many), Limits(heaviest=10.0))
    assert found
    assert found.low < ESTIMATORS["cascade"].value(Tally.of(many)) < found.high
