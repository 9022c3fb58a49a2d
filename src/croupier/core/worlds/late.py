"""A late metric: how often what is published of its surrogate holds it."""

from itertools import product

import msgspec
import numpy as np
from numpy.typing import NDArray

from croupier.core.arms.gaussian import NormalInverseGamma
from croupier.core.arms.panels import FloatArray
from croupier.core.arms.sums import Sums
from croupier.core.arms.table import ArmTable
from croupier.core.estimate.surrogate import Surrogate
from croupier.core.experiment import Experiment
from croupier.core.publish import publish
from croupier.core.records import Arm, ArmSet, Declaration
from croupier.core.reward import MICRO, Reward, Term

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
    dice, found = np.random.default_rng(seed), np.zeros(2)
    parts = np.prod(np.where(_SEEN, RATES[:, None], 1.0 - RATES[:, None]), axis=-1)
    for _ in range(runs):
        x = (dice.random((matured, 2)) < PAST).astype(np.float64)
        fit = Surrogate.fit(x, x @ WORTH + dice.normal(0.1, SCATTER, matured))
        counts, truth = dice.multinomial(TRIALS, parts), (RATES - fit.middle) @ WORTH
        spec = _declared(fit)
        certain = msgspec.structs.replace(spec, surrogate=msgspec.UNSET)
        for place, each in enumerate((certain, spec)):
            ends = _published(each, counts).at(np.array([0.025, 0.975]))
            low, high = (ends - fit.middle @ fit.weights).T
            found[place] += ((low <= truth) & (truth <= high)).mean()
    return found / runs


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
    for arm, row in enumerate(counts.tolist()):
        for shown, trials in zip(_SEEN.tolist(), row, strict=True):
            tallies = {kind: (int(one), 0) for kind, one in zip(KINDS, shown, strict=True)}
            table.add(0, arm, _times(trials, spec.reward.of(tallies)))
            for kind in spec.signals:
                of_kind = table.signals.setdefault(kind, ArmTable())
                of_kind.add(0, arm, _times(trials, tallies[kind][0] * MICRO))
    declaration = Declaration(version=1, reward_version=1, at=0, spec=spec)
    posterior = publish(declaration, _SET, {0: table}, 1, 0, 0).posterior
    assert isinstance(posterior, NormalInverseGamma)
    return posterior


def _times(trials: int, value: int) -> Sums:
    """The sums of so many trials alike, each drawn one time in three."""
    return Sums(*(trials * each for each in Sums.of(value, 1 / 3)))
