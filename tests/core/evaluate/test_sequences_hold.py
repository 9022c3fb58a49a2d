"""Intervals hold, at all times at once: simulated with stated false-alarm rates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from croupier.core.arms.panels import FloatArray
from croupier.core.evaluate.estimators import ESTIMATORS
from croupier.core.evaluate.intervals import Limits, weighted_evidence
from croupier.core.evaluate.rounds import Rounds, columns
from croupier.core.evaluate.sequences import Moments, furthest, log_evidence, mean_interval
from croupier.core.evaluate.tally import Tally

RUNS, ROUNDS = 200, 2_000


def most_crossings(runs: int, rate: float) -> int:
    """More than so many of `runs` happen by chance less than once in a million."""
    return next(k for k in range(runs) if special.bdtrc(k, runs, rate) < 1e-6)


@pytest.mark.parametrize("shape", ["coin", "rare", "weights"])
def test_evidence_against_the_truth_rarely_ever_reaches_twenty(shape: str) -> None:
    """One-sided at α = 5 %, looked at after each of 2,000 rounds."""
    dice = np.random.default_rng(11)
    draws = {
        "coin": (dice.random((RUNS, ROUNDS)) < 0.5) - 0.5,
        "rare": (dice.random((RUNS, ROUNDS)) < 0.01) - 0.01,
        "weights": 10.0 * (dice.random((RUNS, ROUNDS)) < 0.1) * 0.05 - 0.05,
    }[shape]
    reach = {"coin": 0.5, "rare": 0.01, "weights": 0.05}[shape]
    sums, squares = np.cumsum(draws, axis=1), np.cumsum(draws**2, axis=1)
    capital = log_evidence(Moments(1, sums[:, ::5], squares[:, ::5]), reach)
    crossed = int((capital.max(axis=1) >= np.log(20)).sum())
    assert crossed <= most_crossings(RUNS, 0.05)
    # It is no empty promise: against a hypothesis that is wrong, evidence comes.
    wrong = log_evidence(
        Moments(1, sums[:, -1] + 0.2 * ROUNDS, squares[:, -1] + 0.04 * ROUNDS), reach + 0.2
    )
    assert (wrong >= np.log(20)).mean() > 0.9


# --- the same by arithmetic -----------------------------------------------------------------------


@given(st.floats(1e-4, 50.0), st.floats(-1.0, 60.0))
def test_a_factor_is_at_most_that_of_an_honest_bet(reach: float, gain: float) -> None:
    """The mean over stakes of exp(…) is at most that of 1 + λx, which is fair: its mean is 1."""
    x = gain * reach
    capital = np.exp(log_evidence(Moments(1, x, x * x), reach))
    assert capital <= np.mean(1.0 + 0.9 * 2.0 ** -np.arange(20.0) * gain) * (1 + 1e-9)


@pytest.mark.parametrize("rate", [0.5, 0.04, 0.9])
@pytest.mark.parametrize("n", [1, 7, 60])
def test_under_the_hypothesis_the_mean_capital_is_at_most_what_was_staked(
    rate: float, n: int
) -> None:
    hits = np.arange(n + 1.0)
    chance = np.exp(
        special.gammaln(n + 1)
        - special.gammaln(hits + 1)
        - special.gammaln(n - hits + 1)
        + hits * np.log(rate)
        + (n - hits) * np.log1p(-rate)
    )
    capital = np.exp(log_evidence(Moments(n, hits, hits).about(rate), rate))
    assert 0.5 < chance @ capital <= 1.0 + 1e-12


@pytest.mark.parametrize("n", [1, 12])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_weighted_bets_are_fair(n: int, rate: float) -> None:
    """The target's arm is logged with 1/10: weights 10 and 0, over every number of hits."""
    shown, hits = np.meshgrid(np.arange(n + 1.0), np.arange(n + 1.0), indexing="ij")
    shown, hits = shown[hits <= shown], hits[hits <= shown]
    chance = special.binom(n, shown) * 0.1**shown * 0.9 ** (n - shown)
    chance *= special.binom(shown, hits) * rate**hits * (1 - rate) ** (shown - hits)
    assert chance.sum() == pytest.approx(1.0)
    gains, mirrored = (Moments(n, 10 * x, 100 * x) for x in (hits, shown - hits))
    for one, other, value in ((gains, mirrored, rate), (mirrored, gains, 1 - rate)):
        capital = np.exp(weighted_evidence(one, other, np.full(len(hits), value), 10.0))
        assert 0.5 < chance @ capital <= 1.0 + 1e-12


def test_an_end_is_where_the_evidence_reaches_its_level() -> None:
    coins = Moments(400, 90.0, 90.0)
    low, high = mean_interval(coins, 0.0, 1.0)
    mirrored = Moments(400, 310.0, 310.0)
    assert log_evidence(coins.about(low), low) == pytest.approx(np.log(40), abs=1e-6)
    assert log_evidence(mirrored.about(1 - high), 1 - high) == pytest.approx(np.log(40), abs=1e-6)
    tally = Tally.of(columns(logged_rounds(np.random.default_rng(1), 3_000, np.zeros(3))))
    found = ESTIMATORS["ips"].interval(tally, Limits())
    plain = mean_interval(Moments(tally.n, tally.sum("wr"), tally.sum("w2r2")), 0.0, np.inf)
    assert found
    assert found.low == pytest.approx(plain.low, rel=1e-9)
    calm = ESTIMATORS["snips"].interval(
        Tally.of(
            columns(Rounds(*(np.repeat(x, 400) for x in ([0.0, 1.0], [0.5, 0.5], [0.5, 0.5]))))
        ),
        Limits(heaviest=1.0),
    )
    assert calm == pytest.approx(mean_interval(Moments(800, 400.0, 400.0), 0.0, 1.0), rel=1e-6)


LOGGED, TARGET, RATE = (np.array(x) for x in ([0.5, 0.4, 0.1], [0.1, 0.2, 0.7], [0.3, 0.1, 0.2]))
VALUE = float(TARGET @ RATE)


def logged_rounds(dice: np.random.Generator, n: int, q: FloatArray) -> Rounds:
    arm = dice.choice(3, n, p=LOGGED)
    reward = (dice.random(n) < RATE[arm]).astype(np.float64)
    return Rounds(reward, LOGGED[arm], TARGET[arm], q[arm], np.full(n, TARGET @ q))


@pytest.mark.parametrize("name", ["ips", "snips", "dr"])
@pytest.mark.parametrize("heaviest", [7.0, None])
def test_intervals_of_the_estimators_cover_the_truth(name: str, heaviest: float | None) -> None:
    dice, outside, width = np.random.default_rng(5), 0, []
    for _ in range(20):
        tally = Tally.of(columns(logged_rounds(dice, 2_000, np.array([0.5, 0.5, 0.0]))))
        found = ESTIMATORS[name].interval(tally, Limits(heaviest=heaviest))
        if found is None:
            assert (name, heaviest) == ("dr", None)
            return
        outside += not found.low <= VALUE <= found.high
        width.append(found.high - found.low)
    assert outside <= most_crossings(20, 0.05)
    assert np.mean(width) < 0.35


def test_a_reward_on_another_scale_has_the_interval_on_that_scale() -> None:
    rounds = logged_rounds(np.random.default_rng(2), 500, np.zeros(3))
    scaled = rounds._replace(reward=3.0 * rounds.reward - 1.0)
    for name in ("ips", "snips"):
        interval = ESTIMATORS[name].interval
        plain = interval(Tally.of(columns(rounds)), Limits(heaviest=7.0))
        other = interval(Tally.of(columns(scaled)), Limits(-1.0, 2.0, heaviest=7.0))
        assert plain
        assert other
        assert other == pytest.approx([3.0 * end - 1.0 for end in plain], rel=1e-6, abs=1e-9)


def test_the_interval_of_a_mean_narrows_and_keeps_to_the_bounds() -> None:
    few, many = (mean_interval(Moments(n, n / 10, n / 10), 0.0, 1.0) for n in (100, 100_000))
    assert 0.0 <= few.low < many.low < 0.1 < many.high < few.high <= 1.0
    assert many.high - many.low < 0.01
    assert mean_interval(Moments(0, 0.0, 0.0), 0.0, 1.0) == (0.0, 1.0)
    assert mean_interval(Moments(50, 5.0, 5.0), 0.0, np.inf).high == np.inf


def test_an_end_is_a_value_that_is_rejected() -> None:
    def evidence(m: FloatArray) -> FloatArray:
        return 10.0 * (0.7 - m)

    end = furthest(evidence, 0.7, 0.0, np.exp(-1.0))
    assert end == pytest.approx(0.6, abs=1e-12)
    assert evidence(np.array([end]))[0] >= 1.0
    assert furthest(evidence, 0.7, 0.65, np.exp(-1.0)) == 0.65
