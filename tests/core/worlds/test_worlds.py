"""Worlds keep what their docstrings promise."""

import numpy as np
import pytest

from croupier.core.duration import DAY, HOUR
from croupier.core.worlds.change import Change
from croupier.core.worlds.delivery import ABSENT, Delivery
from croupier.core.worlds.registry import WORLDS
from croupier.core.worlds.traffic import Traffic
from croupier.core.worlds.visitors import Visitors
from croupier.core.worlds.world import World

HOURS = np.arange(0.0, 8 * DAY, HOUR)


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.mark.parametrize("world", WORLDS.values(), ids=lambda world: world.name)
def test_the_same_seed_makes_the_same_world(world: World) -> None:
    one, other = (world.visits(500, rng()) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("world", WORLDS.values(), ids=lambda world: world.name)
def test_time_runs_forward_and_rates_are_probabilities(world: World) -> None:
    visits = world.visits(2_000, rng())
    assert (np.diff(visits.at) >= 0).all()
    assert (visits.sees >= 0).all()
    assert (visits.acts >= 0).all()
    rates = world.change.rates([0.02, 0.5], HOURS)
    assert ((rates > 0) & (rates < 1)).all()


def test_the_hostile_world_is_the_stationary_one_told_badly() -> None:
    still, hostile = (WORLDS[name].visits(2_000, rng()) for name in ("stationary", "hostile"))
    same = zip(still[:-1], hostile[:-1], strict=True)
    assert all(np.array_equal(a, b) for a, b in same)
    assert (still.lags[:, :, 1] == ABSENT).all()
    assert (hostile.lags[:, :, 1] != ABSENT).mean() == pytest.approx(0.2, abs=0.02)
    assert (hostile.lags[:, :, 0] == ABSENT).mean() == pytest.approx(0.01, abs=0.005)
    assert (hostile.lags[:, :, 0] >= HOUR).mean() == pytest.approx(0.05, abs=0.01)


def test_who_stands_still_has_the_rates_it_was_given() -> None:
    assert (Change().rates([0.1, 0.2], HOURS) == [0.1, 0.2]).all()


def test_in_step_the_best_arm_stays_and_in_turn_it_changes() -> None:
    base = [0.02, 0.025, 0.03]
    cyclic = WORLDS["cyclic"].change.rates(base, HOURS)
    drifting = WORLDS["drifting"].change.rates(base, HOURS)
    assert set(cyclic.argmax(axis=1)) == {2}
    assert set(drifting.argmax(axis=1)) == {0, 1, 2}
    assert drifting[: 4 * 24].mean(axis=0) == pytest.approx(base)


def test_rates_that_would_leave_the_unit_interval_are_refused() -> None:
    assert WORLDS["drifting"].change.problem([0.7]) == "expected rates between 0 and 0.667, got 0.7"
    assert Change().problem([-0.1]) == "expected rates between 0 and 1, got -0.1"
    assert Change().problem([0.0, 1.0]) is None


def test_visits_follow_the_expected_traffic_through_the_day() -> None:
    traffic = Traffic(1_000.0, amplitude=0.8)
    at = traffic.arrivals(48_000, rng())
    bounds = np.arange(0.0, 2 * DAY, 2 * HOUR)
    counted, _ = np.histogram(at, bounds)
    expected = np.diff(traffic.expected(bounds))
    assert (np.abs(counted - expected) < 4 * np.sqrt(expected)).all()
    assert expected.max() / expected.min() > 7


def test_as_many_units_return_as_were_promised() -> None:
    units = Visitors(returning=0.6).units(20_000, rng())
    firsts = units == np.arange(20_000)
    assert (~firsts).mean() == pytest.approx(0.6, abs=0.06)  # the earliest have nobody to be
    assert (units <= np.arange(20_000)).all()
    assert (units[units] == units).all()


def test_a_lost_report_has_no_copies() -> None:
    lags = Delivery(duplicates=1.0, lost=1.0).lags(50, rng())
    assert (lags == ABSENT).all()
