"""Laws of a reward whose weights were fitted: what is published is as unsure as they are."""

from random import Random
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from croupier.adapters.memory.snapshots import MemorySnapshots
from croupier.apps.learn import Learn
from croupier.core import codec
from croupier.core.arms.gaussian import NormalInverseGamma
from croupier.core.declarations import Declarations
from croupier.core.duration import HOUR
from croupier.core.experiment import Experiment
from croupier.core.learn import absorb
from croupier.core.policies.thompson import Thompson
from croupier.core.policies.ucb1 import UCB1
from croupier.core.rankings import Ranking
from croupier.core.records import Observation
from croupier.core.reward import MICRO, Reward, Term
from croupier.core.signals import Doubt, Signal
from croupier.core.snapshot import Snapshot

REWARD = Reward({"click": Term(0.5, cap=3), "buy": Term(0.01, of="value", max=50.0)})
SURE = {kind: Signal(0.3, {"click": 0.0, "buy": 0.0}) for kind in REWARD.terms}
ROOTS = st.lists(st.floats(-0.2, 0.2), min_size=4, max_size=4)
MIDDLES = st.lists(st.floats(0.0, 2.0), min_size=2, max_size=2)
SIGMAS = st.builds(
    lambda root, middle: fitted(np.reshape(root, (2, 2)) @ np.reshape(root, (2, 2)).T, middle),
    ROOTS,
    MIDDLES,
)


class Trial(NamedTuple):
    """Arm, slot, hour, clicks and what was bought."""

    arm: int
    slot: int
    hour: int
    clicks: int
    bought: int


TRIALS = st.lists(
    st.builds(
        Trial,
        st.integers(0, 2),
        st.integers(0, 1),
        st.integers(0, 3),
        st.integers(0, 5),
        st.integers(0, 70),
    ),
    max_size=30,
)
RANKINGS: tuple[Ranking, ...] = ("pooled", "slots", "position", "cascade")
SPECS = {"one slot": Experiment("b", ("x", "y", "z", "new"), "x", REWARD)}
SPECS |= {
    ranking: msgspec.structs.replace(
        SPECS["one slot"], slots=2, default=("x", "y"), ranking=ranking, bag=64
    )
    for ranking in RANKINGS
}
every_shape = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)


def fitted(sigma: Any, middle: Any) -> dict[str, Signal]:
    """What a declaration says of this Σ and c."""
    rows = np.asarray(sigma).tolist()
    return {
        kind: Signal(float(mean), dict(zip(REWARD.terms, row, strict=True)))
        for kind, mean, row in zip(REWARD.terms, middle, rows, strict=True)
    }


def observed(spec: Experiment, number: int, trial: Trial) -> Observation:
    """As `observe` makes it: the values of what is measured are those of its tallies."""
    tallies = {"click": (trial.clicks, 0), "buy": (1, trial.bought * MICRO)}
    slot = 0 if spec.slots == 1 or spec.pools else trial.slot
    return Observation(
        id=number.to_bytes(16, "big"), experiment="b", arm=trial.arm, slot=slot, unit=bytes(16),
        declaration=1, reward_version=1, reason="policy", propensity=0.25,
        reward=spec.reward.of(tallies), at=trial.hour * HOUR,
        measured={name: each.of(tallies) for name, each in spec.measured.items()},
    )  # fmt: skip


def published(spec: Experiment, trials: list[Trial], batches: Random | None = None) -> Snapshot:
    """The first snapshot after these trials, absorbed at once, or in batches of any order."""
    book = Declarations()
    for record in book.changes(spec, at=0):
        book.apply(record)
    learn = Learn(book, MemorySnapshots())
    records = [observed(spec, *each) for each in enumerate(trials)]
    if batches:
        batches.shuffle(records)
    while records:
        size = batches.randint(1, len(records)) if batches else len(records)
        learn.take(absorb(records[:size], book).sums)
        records = records[size:]
    (snapshot,) = learn.refresh(["b"], 10 * HOUR, 10 * HOUR)
    return snapshot


def beliefs(snapshot: Snapshot) -> list[NormalInverseGamma]:
    found = [snapshot.posterior, *snapshot.further]
    return [each for each in found if isinstance(each, NormalInverseGamma)]


def worth(trials: list[Trial], spec: Experiment, slot: int) -> np.ndarray[Any, Any]:
    """The mean signals of each arm, worked out by hand; NaN for an arm without trials."""
    means = np.full((4, 2), np.nan)
    for arm in range(4):
        mine = [
            (min(one.clicks, 3), min(one.bought, 50))
            for one in trials
            if one.arm == arm and (spec.ranking != "slots" or one.slot == slot)
        ]
        if mine:
            means[arm] = np.mean(mine, axis=0)
    return means


def set_up(spec: Experiment, **fields: Any) -> Experiment:
    return msgspec.structs.replace(spec, **fields)


@every_shape
@given(trials=TRIALS)
def test_weights_that_are_certain_change_no_byte(spec: Experiment, trials: list[Trial]) -> None:
    plain = published(spec, trials)
    sure = published(set_up(spec, surrogate=SURE), trials)
    assert codec.encode(sure) == codec.encode(plain)
    assert b"doubt" not in codec.encode(plain)


@pytest.mark.parametrize("shape", ["one slot", "pooled", "slots"])
@given(trials=TRIALS, surrogate=SIGMAS)
def test_a_posterior_is_as_wide_as_both_errors(
    shape: str, trials: list[Trial], surrogate: dict[str, Signal]
) -> None:
    """Means stay; scale² grows by (x̄ − c)ᵀ Σ (x̄ − c), and by nothing for an arm without trials."""
    spec = SPECS[shape]
    plain = beliefs(published(spec, trials))
    wide = beliefs(published(set_up(spec, surrogate=surrogate), trials))
    doubt = Doubt.of(surrogate)
    for slot, (before, after) in enumerate(zip(plain, wide, strict=True)):
        np.testing.assert_array_equal(after.mean(), before.mean())
        np.testing.assert_array_equal(after.tried(), before.tried())
        away = np.nan_to_num(worth(trials, spec, slot) - doubt.middle)
        v = np.maximum(np.einsum("ai,ij,aj->a", away, doubt.covariance, away), 0.0)
        quantile = after.at(np.array([0.9]))[:, 0] - after.mean()
        scale = quantile / special.stdtrit(2 * np.asarray(after.alpha), 0.9)
        np.testing.assert_allclose(scale**2, before.scale() ** 2 + v, rtol=1e-12, atol=1e-15)
        tried = ~np.isnan(worth(trials, spec, slot)[:, 0])
        np.testing.assert_array_equal(after.scale()[~tried], before.scale()[~tried])


@every_shape
@given(trials=TRIALS, surrogate=SIGMAS, batches=st.randoms(use_true_random=False))
def test_batches_of_any_order_publish_the_same(
    spec: Experiment, trials: list[Trial], surrogate: dict[str, Signal], batches: Random
) -> None:
    fitted_spec = set_up(spec, surrogate=surrogate)
    there, here = published(fitted_spec, trials, batches), published(fitted_spec, trials)
    # Periods are added as numbers, in the order in which they came.
    for one, other in zip(beliefs(there), beliefs(here), strict=True):
        np.testing.assert_allclose(one.scale(), other.scale(), rtol=1e-12)
        np.testing.assert_allclose(one.mean(), other.mean(), rtol=1e-12)


@given(trials=TRIALS, surrogate=SIGMAS, some=st.sets(st.integers(0, 3), min_size=1))
def test_a_restricted_menu_knows_the_doubt(
    trials: list[Trial], surrogate: dict[str, Signal], some: set[int]
) -> None:
    (wide,) = beliefs(published(set_up(SPECS["one slot"], surrogate=surrogate), trials))
    places = sorted(some)
    np.testing.assert_array_equal(wide.take(places).scale(), wide.scale()[places])


@given(trials=TRIALS, surrogate=SIGMAS)
def test_index_policies_go_by_trials_and_means(
    trials: list[Trial], surrogate: dict[str, Signal]
) -> None:
    """A bonus pays for what trials can teach, and they teach nothing of the weights."""
    spec = set_up(SPECS["one slot"], policy=UCB1())
    wide = published(set_up(spec, surrogate=surrogate), trials)
    assert wide.weights == published(spec, trials).weights


@pytest.mark.parametrize("ranking", ["pooled", "position", "cascade"])
@pytest.mark.parametrize(
    "policy",
    [
        Thompson(),
        Thompson(half_life=HOUR),
        Thompson(sliding_window=9 * HOUR),
        Thompson(deconfounded=True),
        Thompson(deconfounded=True, overdispersed=True),
    ],
    ids=["plain", "half life", "window", "deconfounded", "overdispersed"],
)
@given(trials=TRIALS)
def test_mean_signals_are_read_as_mean_rewards_are(
    policy: Thompson, ranking: Ranking, trials: list[Trial]
) -> None:
    """One kind of weight 0.5: an arm's mean signal is twice its mean reward, however read."""
    reward = Reward({"click": Term(0.5, cap=3)})
    spec = set_up(SPECS[ranking], reward=reward, policy=policy)
    surrogate = {"click": Signal(1.0, {"click": 0.25})}
    (before,), (after,) = (
        beliefs(published(each, trials)) for each in (spec, set_up(spec, surrogate=surrogate))
    )
    n = before.tried().n
    # Slots that are seldom looked at count for little: a mean may be more than a trial can earn.
    mean = (np.asarray(before.kappa) * before.mean() - 0.75) / np.maximum(n, 1e-9)
    v = np.where(n > 0, 0.25 * (mean / 0.5 - 1.0) ** 2, 0.0)
    np.testing.assert_allclose(after.scale() ** 2, before.scale() ** 2 + v, rtol=1e-9)
    np.testing.assert_array_equal(after.mean(), before.mean())


@given(trials=TRIALS)
def test_signals_are_the_reward_before_it_is_weighed(trials: list[Trial]) -> None:
    """Σ over kinds of weight times Σ of the signal is Σ of the reward, to the last millionth."""
    spec, book = set_up(SPECS["one slot"], surrogate=SURE), Declarations()
    for record in book.changes(spec, at=0):
        book.apply(record)
    sums = absorb([observed(spec, *each) for each in enumerate(trials)], book).sums
    for key, of_reward in sums.items():
        if key.stratum == "policy":
            parts = {
                kind: sums[key._replace(stratum=f"policy:{kind}:signal")] for kind in REWARD.terms
            }
            assert {one.n for one in parts.values()} == {of_reward.n}
            earned = sum(REWARD.terms[kind].weight * one.r for kind, one in parts.items())
            assert earned == pytest.approx(of_reward.r, abs=1e-3)
