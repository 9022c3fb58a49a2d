"""Regret and shares, by hand."""

import numpy as np
import pytest

from croupier.core.worlds.regret import Course

TRUTH = np.array([[0.1, 0.3], [0.1, 0.3], [0.4, 0.2]])
COURSE = Course(TRUTH, np.array([0, 0, 2]), 3)


def test_regret_is_what_the_best_arm_of_the_moment_would_have_added() -> None:
    assert COURSE.regret(np.array([0, 1, 1])) == pytest.approx([0.2, 0.2, 0.4])
    assert COURSE.regret(np.array([1, 1, 0])) == pytest.approx([0.0, 0.0, 0.0])
    assert COURSE.uniform_regret() == pytest.approx([0.2, 0.2, 0.3])


def test_shares_are_of_the_visits_of_each_step() -> None:
    shares = COURSE.shares(np.array([0, 1, 1]))
    assert shares.tolist() == [[0.5, 0.5], [0.5, 0.5], [0.0, 1.0]]


def test_before_the_first_visit_shares_are_those_of_the_first() -> None:
    late = Course(TRUTH[:1], np.array([2]), 4)
    assert late.shares(np.array([1])).tolist() == [[0.0, 1.0]] * 4


def test_the_best_arm_of_a_step_led_for_most_of_its_visits() -> None:
    assert COURSE.best() == [1, 1, 0]
