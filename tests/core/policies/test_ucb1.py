"""UCB1 against its peers' numbers, and what its index owes."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from croupier.core.arms.bernoulli import Beta
from croupier.core.arms.gaussian import NormalInverseGamma
from croupier.core.arms.sums import Reading
from croupier.core.policies.ucb1 import UCB1, ucb1_index

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
CASES = DATA / "algorithm_cases" / "mabwiser_cases.json"
ADS = DATA / "ads_ctr"

counts = st.integers(1, 10**6).map(float)
shares = st.floats(0.0, 1.0)


def cases() -> list[Any]:
    """MABWiser's own cases of UCB1, where they are at hand."""
    found = json.loads(CASES.read_text())["cases"] if CASES.exists() else []
    return [case for case in found if case["policy"] == "UCB1" and not case["context_history"]]


@given(n=counts, more=counts, mean=shares, total=st.floats(2.0, 1e9))
def test_the_index_falls_as_trials_come_and_stays_above_the_mean(
    n: float, more: float, mean: float, total: float
) -> None:
    few, many = ucb1_index(np.array([n, n + more]), np.full(2, mean), total).tolist()
    assert few > many > mean


@given(n=counts, mean=shares, total=st.floats(2.0, 1e9), more=st.floats(1.01, 1e3))
def test_the_index_rises_with_the_others_trials(
    n: float, mean: float, total: float, more: float
) -> None:
    one = np.array([n]), np.array([mean])
    assert ucb1_index(*one, total * more)[0] > ucb1_index(*one, total)[0]


def test_untried_arms_come_first_and_share() -> None:
    one_tried = Beta((1.0, 91.0, 1.0), (1.0, 11.0, 1.0))
    assert UCB1().weights(one_tried).tolist() == [0.5, 0.0, 0.5]


def test_a_prior_is_no_trial() -> None:
    said = Beta((40.0, 40.0), (160.0, 160.0), prior=(40.0, 160.0))
    np.testing.assert_array_equal(said.tried().n, [0.0, 0.0])


def test_only_the_arms_that_may_be_shown_count() -> None:
    """The same as if the others had never existed, also their trials."""
    three = Beta((3.0, 2.0, 900.0), (9.0, 4.0, 100.0))
    two = Beta((3.0, 2.0), (9.0, 4.0))
    np.testing.assert_array_equal(UCB1().publish(three.take([0, 1])), UCB1().publish(two))


@pytest.mark.skipif(not CASES.exists(), reason="the peers' cases are not at hand")
@pytest.mark.parametrize("case", cases(), ids=lambda case: case["source"])
def test_mabwisers_numbers(case: Any) -> None:
    """Its rewards are unbounded: an α of theirs is one of ours, times the span of the rewards."""
    arms, alpha = case["arms"], case["params"]["alpha"]
    rewards = np.array(case["rewards"], float)
    low, high = float(rewards.min()), float(rewards.max())
    chosen = [rewards[[d == arm for d in case["decisions"]]] for arm in arms]
    n, r, r2 = ([float(f(x)) for x in chosen] for f in (len, np.sum, lambda x: (x * x).sum()))
    reading = Reading(tuple(n), tuple(r), tuple(r2))
    tried = NormalInverseGamma.read(reading, low, high).tried()
    index = ucb1_index(*tried, float(sum(n)), alpha / (high - low)) * (high - low) + low
    for arm, mine in zip(arms, index.tolist(), strict=True):
        theirs = case["expectations"][0][str(arm)]
        if arm in case["decisions"]:
            assert mine == pytest.approx(theirs, rel=1e-9)
        else:
            assert (mine, theirs) == (np.inf, 0.0), "MABWiser never tries an arm without trials"


@pytest.mark.skipif(not ADS.exists(), reason="the published data set is not at hand")
def test_the_published_run_over_ten_advertisements() -> None:
    """Turn by turn: √(3/2 · ln t / n) with t the turn, the lowest number on ties; 2,178 clicks."""
    with gzip.open(ADS / "Ads_CTR_Optimisation.csv.gz", "rt") as file:
        clicks = np.loadtxt(file, delimiter=",", skiprows=1)
    known = json.loads((ADS / "reference.json").read_text())
    n, r = np.zeros(clicks.shape[1]), np.zeros(clicks.shape[1])
    for turn, row in enumerate(clicks, 1):
        mean = np.divide(r, n, out=np.zeros_like(r), where=n > 0)
        arm = int(ucb1_index(n, mean, turn, np.sqrt(0.75)).argmax())
        n[arm] += 1
        r[arm] += row[arm]
    assert r.sum() == known["published"]["total_reward"] == 2178
    assert n.tolist() == known["computed"]["ucb_plays_per_ad"]
