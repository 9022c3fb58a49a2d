"""The demo's accounts: what the visitors know against what was learned."""

from collections import Counter

import pytest

from croupier.runners.demo import RATES, _summarise
from croupier.runners.visitors import Truth


def page(gap: str = "", n: int = 0, clicks: int = 0) -> dict[str, object]:
    return {
        "observations": 400 + n,
        "late": 0,
        "arms": [
            {
                "arm": arm,
                "n": 100 + (n if arm == gap else 0),
                "reward_sum": 5.0 + (clicks if arm == gap else 0),
                "weight": 0.25,
            }
            for arm in RATES
        ],
    }


@pytest.fixture
def truth() -> Truth:
    """A hundred visitors saw each headline, five of each hundred clicked."""
    truth = Truth(tuple(RATES), 400, 10)
    for number in range(400):
        truth.saw(list(RATES)[number % 4], clicked=number % 80 < 4)
    return truth


def test_when_all_is_learned_nothing_is_lost_or_doubled(truth: Truth) -> None:
    found = _summarise(truth, page(), kills=1, took=2.0)
    assert (found.lost, found.doubled, found.clicks, found.visitors) == (0, 0, 20, 400)
    assert found.decisions_per_second == 200
    assert found.reward_vs_uniform == pytest.approx(1)
    assert found.best_arm == "headline 4"
    assert found.best_arm_share == 0.25
    assert len(found.best_arm_share_over_time) == 10


@pytest.mark.parametrize(("n", "clicks"), [(-3, 0), (0, -3), (-2, -1)])
def test_what_is_missing_counts_as_lost(truth: Truth, n: int, clicks: int) -> None:
    found = _summarise(truth, page("headline 2", n, clicks), kills=0, took=1.0)
    assert (found.lost, found.doubled) == (3, 0)


def test_a_loss_does_not_make_up_for_a_double(truth: Truth) -> None:
    found = _summarise(truth, page("headline 1", 2, -2), kills=0, took=1.0)
    assert (found.lost, found.doubled) == (2, 2)


def test_the_truth_is_told_step_by_step(truth: Truth) -> None:
    assert truth.shown == Counter(dict.fromkeys(RATES, 100))
    assert [step.total() for step in truth.over_time] == [40] * 10
