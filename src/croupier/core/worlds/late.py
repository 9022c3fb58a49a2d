"""A late metric: how often what is said of its surrogate holds it."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import product

import msgspec
import numpy as np
from numpy.typing import NDArray

from croupier.core.arms.gaussian import NormalInverseGamma
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.arms.table import ArmTable
from croupier.core.estimate.lift import Interval
from croupier.core.estimate.page import estimates
from croupier.core.estimate.panel import Known
from croupier.core.estimate.surrogate import Surrogate
from croupier.core.experiment import Experiment
from croupier.core.publish import publish
from croupier.core.records import Arm, ArmSet, Declaration
from croupier.core.reward import MICRO, Reward, Term
from croupier.core.signals import signal_column, signal_of

KINDS = ("click", "cart")
WORTH = np.array([0.3, 1.0])
RATES = np.array([[0.25, 0.05], [0.35, 0.02], [0.15, 0.09]])
"""How often each of three arms leads to a click, and to a cart."""

PAST = np.array([0.20, 0.05])
"""The same, of the trials that the surrogate is fitted on."""

SCATTER, TRIALS = 0.5, 4_000
_SEEN = np.array([*product((0.0, 1.0), repeat=2)])
_ARMS = tuple(Arm(number, name) for number, name in enumerate("xyz"))
_SET = ArmSet(experiment="b", version=1, at=0, arms=_ARMS)


def held(runs: int, matured: int, seed: int) -> FloatArray:
    """How often 95 % intervals, as they are published, hold the late means of three arms.

    First as if the weights were certain, then with their uncertainty declared. In each run the
    surrogate is fitted anew on so many matured trials, declared, and learned from TRIALS trials an
    arm. The late metric is 0.3 a click + 1 a cart, and scatters by SCATTER around it. Its level,
    common to all arms, is left out.

    >>> held(20, 400, seed=1).round(2).tolist()
    [0.73, 0.98]

    Source: Athey, Chetty, Imbens & Kang 2019, The Surrogate Index.
    """
    found = np.zeros(2)
    for fit, counts in _histories(runs, matured, seed):
        truth = (RATES - fit.middle) @ WORTH
        for place, each in enumerate(_both(fit)):
            ends = _published(each, counts).at(np.array([0.025, 0.975]))
            low, high = (ends - fit.middle @ fit.weights).T
            found[place] += ((low <= truth) & (truth <= high)).mean()
    return found / runs


def told(runs: int, matured: int, seed: int) -> FloatArray:
    """How often 95 % intervals of the estimates hold what is true: shape (2, 4).

    Of means, of ratios and differences to the default, and of differences at any time; first as if
    the weights were certain, then with their uncertainty declared.

    >>> told(20, 400, seed=1).round(2).tolist()
    [[0.73, 0.78, 0.78, 0.95], [0.98, 0.98, 0.95, 1.0]]
    """
    found = np.zeros((2, 4))
    for fit, counts in _histories(runs, matured, seed):
        base, earned = fit.middle @ (WORTH - fit.weights), RATES @ WORTH
        for place, spec in enumerate(_both(fit)):
            known = Known(Declaration(1, 1, 0, spec), _SET, _rows(spec, counts))
            for truth, arm in zip(earned.tolist(), estimates(known).arms, strict=True):
                found[place, 0] += _holds(arm.mean, truth - base) / len(_ARMS)
                if arm.lift is not None and arm.lift.ratio is not None:
                    lifts = arm.lift.ratio, arm.lift.difference, arm.lift.difference_anytime
                    true = truth / earned[0], truth - earned[0], truth - earned[0]
                    found[place, 1:] += np.array([*map(_holds, lifts, true)]) / (len(_ARMS) - 1)
    return found / runs


def _holds(interval: Interval, truth: float) -> bool:
    low, high = interval.low, interval.high
    return low is not None and high is not None and low <= truth <= high


def _histories(runs: int, matured: int, seed: int) -> Iterator[tuple[Surrogate, NDArray[np.int64]]]:
    """A fit on so many trials, and how many of TRIALS later ones of each arm showed what."""
    dice = np.random.default_rng(seed)
    parts = np.prod(np.where(_SEEN, RATES[:, None], 1.0 - RATES[:, None]), axis=-1)
    for _ in range(runs):
        x = (dice.random((matured, 2)) < PAST).astype(np.float64)
        fit = Surrogate.fit(x, x @ WORTH + dice.normal(0.1, SCATTER, matured))
        yield fit, dice.multinomial(TRIALS, parts)


def _both(fit: Surrogate) -> tuple[Experiment, Experiment]:
    """The reward as if its weights were certain, and as it is declared."""
    spec = _declared(fit)
    return msgspec.structs.replace(spec, surrogate=msgspec.UNSET), spec


def _declared(fit: Surrogate) -> Experiment:
    """What `croupier surrogate fit` prints, declared."""
    terms = {
        kind: Term(round(weight, 6))
        for kind, weight in zip(KINDS, fit.weights.tolist(), strict=True)
    }
    names = tuple(arm.name for arm in _ARMS)
    return Experiment("b", names, "x", Reward(terms), surrogate=fit.signals(KINDS))


def _published(spec: Experiment, counts: NDArray[np.int64]) -> NormalInverseGamma:
    """What a snapshot says after so many trials of each arm that showed each of `_SEEN`."""
    table = ArmTable()
    for key, sums in _rows(spec, counts).items():
        kind = signal_of(key.stratum.partition(":")[2])
        place = table.signals.setdefault(kind, ArmTable()) if kind else table
        place.add(key.period, key.arm, sums)
    declaration = Declaration(version=1, reward_version=1, at=0, spec=spec)
    posterior = publish(declaration, _SET, {0: table}, 1, 0, 0).posterior
    assert isinstance(posterior, NormalInverseGamma)
    return posterior


def _rows(spec: Experiment, counts: NDArray[np.int64]) -> dict[StateKey, Sums]:
    """The sums that these trials come to."""
    rows: dict[StateKey, Sums] = defaultdict(Sums)
    for arm, row in enumerate(counts.tolist()):
        for shown, trials in zip(_SEEN.tolist(), row, strict=True):
            tallies = {kind: (int(one), 0) for kind, one in zip(KINDS, shown, strict=True)}
            key = StateKey(spec.name, arm, 0, 1, "policy", 0)
            rows[key] += _times(trials, spec.reward.of(tallies))
            for kind in spec.signals:
                of_kind = key._replace(stratum=f"policy:{signal_column(kind)}")
                rows[of_kind] += _times(trials, tallies[kind][0] * MICRO)
    return rows


def _times(trials: int, value: int) -> Sums:
    """The sums of so many trials alike, each drawn one time in three."""
    return Sums(*(trials * each for each in Sums.of(value, 1 / 3)))
