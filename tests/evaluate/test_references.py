"""Numbers that others published or computed: dsjson, UCB1, softmax, best arms, z, sample ratios."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from scipy import special

from croupier.config.trial_logs import open_trial_log
from croupier.core.arms.bernoulli import Beta
from croupier.core.arms.best import NORMAL_DEGREES, best_beta, best_student
from croupier.core.arms.gaussian import NormalInverseGamma
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import Reading
from croupier.core.evaluate.loss import expected_loss
from croupier.core.evaluate.ratio_check import ALARM, ratio_check, welch
from croupier.core.evaluate.softmax import Softmax
from croupier.core.evaluate.targets import always
from croupier.core.past import PastTrials, RowError, sums_of
from croupier.core.policies.base import Allocation
from croupier.core.policies.ucb1 import ucb1_index
from croupier.core.reward import Reward, Term
from croupier.runners.evaluation import Evaluation, Terms
from tests.evaluate.shared import reference, rows, shared

# --- VW dsjson ------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["1", "2", "3", "4"])
def test_ips_of_constant_policies_on_dsjson(action: str) -> None:
    wanted = reference("vw", "commands.json")["ips_of_constant_policies_on_dsjson_cb"]
    log = open_trial_log(shared("vw", "dsjson_cb.json"), None, {})
    work = Evaluation(log, Terms())
    target = always(log.arms[action], 1, len(log.arms))
    found = work.answer("vw", action, target)
    assert found.rounds == wanted["n"]
    assert work.survey.tally.sum("r") == -wanted["sum of logged cost"]
    # 23 rounds are too few to answer, and the answer says so.
    assert found.estimates is None
    assert any("effective sample size" in reason for reason in found.refused)
    assert found.refused_estimates
    cost = wanted[f"always action {action}"]
    assert found.refused_estimates["ips"].value == pytest.approx(-cost, rel=1e-12)


def test_a_ccb_log_has_a_round_a_slot() -> None:
    log = open_trial_log(shared("vw", "ccb_data.json"), None, {})
    work = Evaluation(log, Terms())
    assert set(log.positions) == {"MainArticle", "SideBar"} or len(log.positions) > 1
    assert log.wrong_count == 0
    assert work.survey.rounds > 59


# --- UCB1 -----------------------------------------------------------------------------------------


def test_ucb_on_the_advertisements_earns_what_was_published() -> None:
    """Its √(3/2 · ln n/N_i) is our r̄ + α·√(2 ln N/n) with α = √(3/4)."""
    wanted = reference("ads_ctr", "reference.json")
    table = np.array(
        [
            [int(cell) for cell in row.values()]
            for row in rows("ads_ctr", "Ads_CTR_Optimisation.csv.gz")
        ]
    )
    n, r = np.zeros(10), np.zeros(10)
    for turn, outcome in enumerate(table):
        mean = np.divide(r, n, out=np.zeros(10), where=n > 0)
        ad = int(np.argmax(ucb1_index(n, mean, turn + 1, np.sqrt(0.75))))
        n[ad] += 1
        r[ad] += outcome[ad]
    assert r.sum() == wanted["published"]["total_reward"] == 2178
    assert r.tolist() == wanted["published"]["reward_per_ad"]
    assert n.tolist() == wanted["computed"]["ucb_plays_per_ad"]


def test_mabwisers_ucb1_cases() -> None:
    """Its α is ours. An arm never played has 0 there, and comes last; here it comes first."""
    cases = [
        case
        for case in reference("algorithm_cases", "mabwiser_cases.json")["cases"]
        if case["policy"] == "UCB1"
    ]
    assert len(cases) >= 7
    for case in cases:
        plays, earned = totals(case)
        mean = np.divide(earned, plays, out=np.zeros_like(earned), where=plays > 0)
        index = ucb1_index(plays, mean, plays.sum(), case["params"]["alpha"])
        wanted = np.array(list(case["expectations"][0].values()))
        played = plays > 0
        assert index[played] == pytest.approx(wanted[played], rel=1e-12), case["source"]
        assert np.isinf(index[~played]).all()
        assert (wanted[~played] == 0).all()


SEEDS = (123_456, 71, 23, 17)
"""MABWiser's tests draw with one of these."""


def test_mabwisers_softmax_cases() -> None:
    """What it calls expectations is one Dirichlet draw with the weights as its parameters.

    So the weights are compared to the digit by drawing with them again, from its own seeds. The
    case in which an arm was never played (a "warm start" from another) has no counterpart.
    """
    compared = 0
    for case in reference("algorithm_cases", "mabwiser_cases.json")["cases"]:
        plays, earned = totals(case)
        if case["policy"] != "Softmax" or not plays.all():
            continue
        rewards = np.array(case["rewards"], dtype=np.float64)
        low, high = float(rewards.min()), float(rewards.max())
        squares = totals(case | {"rewards": rewards**2})[1]
        reading = Reading(*(tuple(each.tolist()) for each in (plays, earned, squares)))
        ours = Softmax(temperature=case["params"]["tau"] / (high - low), floor=0.0)
        weights = ours.publish(NormalInverseGamma.read(reading, low, high))
        wanted = np.array(list(case["expectations"][0].values()))
        drawn = [np.random.default_rng(seed).dirichlet(weights) for seed in SEEDS]
        assert any(each == pytest.approx(wanted, rel=1e-7, abs=1e-300) for each in drawn)
        compared += 1
    assert compared == 8


def test_mabwisers_greedy_cases() -> None:
    cases = [
        case
        for case in reference("algorithm_cases", "mabwiser_cases.json")["cases"]
        if case["source"].startswith("test_greedy.py::test_epsilon_0")
    ]
    for case in cases:
        plays, earned = totals(case)
        assert (earned / plays).tolist() == list(case["expectations"][0].values())


def totals(case: dict[str, Any]) -> tuple[FloatArray, FloatArray]:
    """Plays and rewards by arm."""
    plays: dict[str, float] = defaultdict(float)
    earned: dict[str, float] = defaultdict(float)
    for arm, reward in zip(case["decisions"], case["rewards"], strict=True):
        plays[str(arm)] += 1
        earned[str(arm)] += reward
    names = [str(arm) for arm in case["arms"]]
    return np.array([plays[name] for name in names]), np.array([earned[name] for name in names])


# --- GrowthBook: best arms of normal posteriors, and its floor ------------------------------------


@pytest.mark.parametrize("name", ["MinVariationWeightFloor", "too few units"])
def test_growthbooks_best_arms(name: str) -> None:
    """The exact integrals; its own figures are 10,000 draws, right within four standard errors."""
    case = reference("algorithm_cases", "gbstats_cases.json")["cases"][name]
    arms = case["arms"]
    mean = np.array([arm["mean"] for arm in arms])
    error = np.sqrt([arm["variance"] / arm["n"] for arm in arms])
    best = best_student(mean, error, np.full(len(arms), NORMAL_DEGREES))
    assert best == pytest.approx(case["exact_best_arm_probabilities"], abs=1e-8)
    drawn = np.array(case["best_arm_probabilities_mc10000"])
    assert (np.abs(drawn - best) <= 4 * np.sqrt(best * (1 - best) / 10_000)).all()


def test_growthbooks_floor_is_ours() -> None:
    """Weights f + (1 − K·f)·w there, too; from K·f > 1/2 on we clamp, where it goes to equal."""
    case = reference("algorithm_cases", "gbstats_cases.json")["cases"]["MinVariationWeightFloor"]
    drawn = np.array(case["gbstats"]["top_two=False,floor=0.0"])

    class Drawn(Allocation, frozen=True, tag="drawn"):
        def weights(self, posterior: Any) -> FloatArray:
            return drawn

    for floor in (0.01, 0.1):
        wanted = case["gbstats"][f"top_two=False,floor={floor}"]
        published = Drawn(floor=floor).publish(Beta((1.0,), (1.0,)))
        assert published == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("name", ["MinVariationWeightFloor", "too few units"])
def test_growthbooks_top_two_weights(name: str) -> None:
    """½ P(best) + ½ P(second), P(k second) = Σ_j P(k best without j) − P(k best).

    Nothing here allocates by it. Its code for a metric of which less is better (`inverse=True`)
    takes the second and third instead of the first two, so that the best arm gets nothing but the
    floor (0, ½, ½ of three); the cases have no numbers of that, and none should be matched. Here
    less is better where a reward's weight is negative: the same integrals of the mirrored means.
    """
    case = reference("algorithm_cases", "gbstats_cases.json")["cases"][name]
    mean = np.array([arm["mean"] for arm in case["arms"]])
    error = np.sqrt([arm["variance"] / arm["n"] for arm in case["arms"]])
    for sign in (1.0, -1.0):
        first = best(sign * mean, error)
        second = np.zeros(len(mean))
        for out in range(len(mean)):
            left = np.delete(np.arange(len(mean)), out)
            second[left] += best(sign * mean[left], error[left]) - first[left]
        weights = (first + second) / 2
        assert weights.sum() == pytest.approx(1.0, abs=1e-8)
        assert weights.max() == pytest.approx(weights[np.argmax(sign * mean)])
        if sign > 0:
            assert weights == pytest.approx(case["exact_top_two_weights"], abs=1e-8)
            drawn = case["gbstats"]["top_two=True,floor=0.0"] or case["exact_top_two_weights"]
            assert weights == pytest.approx(drawn, abs=4 * 0.5 / np.sqrt(10_000))


def best(mean: FloatArray, error: FloatArray) -> FloatArray:
    """Which of some normal posteriors is best."""
    return best_student(mean, error, np.full(len(mean), NORMAL_DEGREES))


def test_sums_that_growthbook_takes_are_refused() -> None:
    """Its own test data have Σr² < (Σr)²/n, a variance below 0: weights of zero or NaN there."""
    spend = Reward({"spend": Term(1.0, of="value", max=1000.0)})
    for total, squares, n in reference("algorithm_cases", "gbstats_cases.json")["bad_input"][
        "arms"
    ]:
        row = PastTrials("x", n, Decimal(str(total)), Decimal(str(squares)))
        with pytest.raises(RowError, match="cannot be") as refused:
            sums_of(row, spend)
        assert refused.value.column == "reward_square_sum"


# --- ASOS: z and p of the final readings ----------------------------------------------------------


def test_the_final_z_and_p_of_every_asos_experiment() -> None:
    """From the last reading of each arm and metric; a few have no variance, and no z there."""
    last: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows("asos_experiments", "asos_digital_experiments.csv.gz"):
        key = (row["experiment_id"], row["variant_id"], row["metric_id"])
        if float(row["time_since_start"]) >= float(last.get(key, row)["time_since_start"]):
            last[key] = row
    wanted = rows("asos_experiments", "reference_final_z.csv.gz")
    assert len(wanted) == len(last) == 224
    compared = 0
    for row in wanted:
        ours = last[row["experiment_id"], row["variant_id"], row["metric_id"]]
        if not row["z"]:
            assert "" in (ours["variance_c"], ours["variance_t"])
            continue
        found = welch(
            *(
                np.array([float(ours[f"{key}_c"]), float(ours[f"{key}_t"])])
                for key in ("count", "mean", "variance")
            )
        )
        assert found.statistic == pytest.approx(float(row["z"]), rel=1e-9, abs=1e-12)
        assert found.p == pytest.approx(float(row["p_two_sided"]), rel=1e-8, abs=1e-300)
        compared += 1
    assert compared >= 200


# --- Upworthy: P(best), expected loss, sample ratios ----------------------------------------------


def test_one_upworthy_test() -> None:
    wanted = reference("upworthy", "reference.json")["one_test"]
    shown, clicks = np.array(wanted["impressions"]), np.array(wanted["clicks"])
    a, b = 1.0 + clicks, 1.0 + shown - clicks
    assert best_beta(a, b) == pytest.approx(wanted["exact_beta11_prob_best"], abs=1e-10)
    loss = 1000 * expected_loss(a, b)
    assert loss == pytest.approx(wanted["exact_expected_loss_clicks_per_1000"], abs=1e-9)
    table = np.array([clicks, shown - clicks], dtype=np.float64)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    assert special.chdtrc(3, statistic) == pytest.approx(wanted["chi2_p_all_equal"], rel=1e-10)


def test_sample_ratio_alarms_of_every_upworthy_test() -> None:
    wanted = reference("upworthy", "reference.json")["srm"]
    shown: dict[str, list[float]] = defaultdict(list)
    week: dict[str, int] = {}
    for row in rows("upworthy", "upworthy_exploratory_half_a.csv.gz"):
        shown[row["clickability_test_id"]].append(float(row["impressions"]))
        week[row["clickability_test_id"]] = int(float(row["test_week"]))
    alarms: dict[bool, list[bool]] = {True: [], False: []}
    for test, counts in shown.items():
        p = ratio_check(np.array(counts), np.full(len(counts), 1 / len(counts))).p
        alarms[201325 <= week[test] <= 201401].append(p < ALARM)
    assert len(alarms[True]) == wanted["tests_in_flagged_weeks"]
    assert np.mean(alarms[True]) == pytest.approx(wanted["share_p<0.01_in_flagged_weeks"])
    assert np.mean(alarms[False]) == pytest.approx(wanted["share_p<0.01_elsewhere"])
