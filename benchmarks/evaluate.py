"""Off-policy evaluation: rounds a second through the accumulators, and through a CSV file."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.measure import cpu_micros
from benchmarks.report import Row
from croupier.config.trial_logs import open_trial_log
from croupier.core.evaluate.estimators import ESTIMATORS
from croupier.core.evaluate.intervals import Limits
from croupier.core.evaluate.rankings import Rankings, ranking_columns
from croupier.core.evaluate.rounds import Rounds, columns
from croupier.core.evaluate.tally import Tally
from croupier.core.evaluate.targets import uniform
from croupier.runners.evaluation import Evaluation, Terms

PART, ARMS = 8192, 80


def rows(*, quick: bool) -> Iterator[Row]:
    dice = np.random.default_rng(9)
    reward, logged, target, q, expected = dice.uniform(0.01, 1.0, (5, PART))
    one = Rounds(reward, logged, target, q, expected)
    slates = Rankings(*dice.uniform(0.5, 1.5, (5, PART, 3)))
    tally = Tally.of(columns(one))
    times = cpu_micros(
        {
            "decisions": lambda: tally + Tally.of(columns(one)),
            "numpy": lambda: [column.sum() for column in columns(one).values()],
            "rankings": lambda: Tally.of(ranking_columns(slates)),
            "interval": lambda: ESTIMATORS["snips"].interval(tally, Limits(heaviest=100.0)),
        },
        rounds=3 if quick else 9,
    )
    yield Row(
        "evaluate, rounds into exact sums (12 columns)",
        "/s CPU",
        PART / times["decisions"] * 1e6,
        "the same with numpy's rounded sums",
        PART / times["numpy"] * 1e6,
    )
    yield Row("evaluate, rankings of 3 into exact sums", "/s CPU", PART / times["rankings"] * 1e6)
    yield Row("evaluate, one confidence sequence", "ms CPU", times["interval"] / 1e3)
    yield _from_csv(20_000 if quick else 200_000)


def _from_csv(rounds: int) -> Row:
    dice = np.random.default_rng(2)
    arm, click = dice.integers(0, ARMS, rounds), dice.random(rounds) < 0.01
    lines = (f"{a},{int(c)},{1 / ARMS}" for a, c in zip(arm, click, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "log.csv"
        file.write_text("\n".join(["action,reward,propensity", *lines]), encoding="utf-8")
        began = time.thread_time()
        work = Evaluation(open_trial_log(file, None, {}), Terms())
        found = work.answer("log", "uniform", uniform(1, ARMS))
        took = time.thread_time() - began
    assert found.rounds == rounds
    return Row("evaluate, a CSV read twice, all estimators", "rounds/s", rounds / took)
