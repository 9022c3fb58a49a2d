"""Laws of pages of estimates: whatever was shown and earned, they say nothing that is no number."""

import math
from collections.abc import Iterator

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as some

from croupier.core.arms.sums import StateKey, Sums
from croupier.core.estimate.page import estimates
from croupier.core.estimate.panel import Known
from croupier.core.experiment import Experiment
from croupier.core.guardrail import Guardrail
from croupier.core.records import Arm, ArmSet, Declaration
from croupier.core.reward import MICRO, Reward, Term

HOUR, NAMES = 3_600_000, ("a", "b", "c")
REWARDS = [
    Reward({"click": Term(1.0)}),
    Reward({"click": Term(1.0), "refund": Term(-2.0)}),
    Reward({"basket": Term(1.0, of="value", max=1e9)}),
]
RULES = {worse: Guardrail(REWARDS[1], 0.01, worse=worse) for worse in ("more", "less")}
STRATA = ["policy", "holdout", "imported", *(f"policy:{RULES[w].column(w)}" for w in RULES)]

propensities = some.sampled_from([1.0, 0.98, 0.5, 0.01, 1e-4, 1e-6, 1e-9])
trials = some.tuples(
    some.sampled_from(STRATA),
    some.integers(0, 2),  # arm
    some.integers(0, 3),  # hour
    propensities,
    some.sampled_from([0.0, 1.0, -2.0, 1e-6, 0.7, 1e9]),  # reward, or what it may be at most
    some.sampled_from([1, 2, 30, 10_000]),  # so many alike
)


ONE_SUCCESS = [  # and visits of the floor that failed: e^(reach of a ratio) was beyond all numbers
    ("policy", 0, 0, 0.98, 1.0, 30),
    ("policy", 0, 0, 0.98, 0.0, 10_000),
    ("policy", 1, 0, 0.5, 1.0, 1),
    ("policy", 1, 0, 1e-6, 0.0, 2),
]

BESIDE_HEAVY = [("imported", 1, 0, 1e-9, 1.0, 30), ("policy", 1, 0, 0.5, 1.0, 1)]


@settings(max_examples=60)
@example(reward=REWARDS[0], by_units=False, shown=BESIDE_HEAVY)
@example(reward=REWARDS[0], by_units=False, shown=ONE_SUCCESS)
@given(
    reward=some.sampled_from(REWARDS),
    by_units=some.booleans(),
    shown=some.lists(trials, min_size=1, max_size=40),
)
def test_a_page_has_no_warnings_and_only_numbers(
    *, reward: Reward, by_units: bool, shown: list[tuple[str, int, int, float, float, int]]
) -> None:
    """Propensities down to 1e-9, rewards up to 1e9; a warning is an error in all tests."""
    spec = Experiment(
        "b", NAMES, "a", reward, holdout=0.1, guardrail=RULES,
        sticky="unit" if by_units else "session",
    )  # fmt: skip
    least, most = reward.bounds
    rows: dict[StateKey, Sums] = {}
    for stratum, arm, hour, p, worth, times in shown:
        earned = round(min(max(worth, -2.0 if ":" in stratum else least), most) * MICRO)
        sums = Sums(*(times * each for each in Sums.of(earned, p)))
        for where in (stratum, f"group.{arm}.{stratum}") if by_units else (stratum,):
            key = StateKey(
                "b", arm, 0, 1, where, 0 if by_units and where != stratum else hour * HOUR
            )
            for each in {key, key._replace(stratum=where.replace("imported", "policy"))}:
                rows[each] = rows.get(each, Sums()) + sums
    arms = ArmSet("b", 1, 0, tuple(Arm(number, name) for number, name in enumerate(NAMES)))
    page = estimates(Known(Declaration(1, 1, 0, spec), arms, rows, watermark=4 * HOUR))
    assert all(map(math.isfinite, numbers(msgspec.to_builtins(page))))
    assert (page.verdict.regret or 0.0) <= most - least
    for line in page.arms:
        assert (line.mean.low or 0.0) >= min(least, 0.0)
        assert (line.mean.high or 0.0) <= max(most, 0.0)


def numbers(told: object) -> Iterator[float]:
    """All numbers of an answer."""
    if isinstance(told, dict):
        told = list(told.values())
    if isinstance(told, list):
        for each in told:
            yield from numbers(each)
    elif isinstance(told, float):
        yield told
