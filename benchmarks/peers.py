"""Other libraries behind one shape: decide, and learn from one trial.

They are not needed to develop Croupier: `make bench` puts requirements/peers.txt into .peers/, a
folder beside .venv that only the benchmarks look into, after .venv.
"""

import random
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.report import Skipped

FOLDER = Path(__file__).resolve().parents[1] / ".peers"
_BATCH = 16


class Peer(NamedTuple):
    """A bandit of so many arms: `decide()` names one, `learn(arm, reward)` tells of one trial.

    `waits` says whether it may decide again before it is told.
    """

    decide: Callable[[], int]
    learn: Callable[[int, bool], object]
    waits: bool = True


def peers(arms: int, seed: int) -> tuple[dict[str, Peer], list[Skipped]]:
    """Whoever can be imported, each with its Thompson sampling, and who is missing."""
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    found, missing = {}, []
    for name, make in _MAKERS.items():
        try:
            found[name] = make(arms, seed)
        except ImportError:
            why = "not in .peers/: `make bench` installs requirements/peers.txt there"
            missing.append(Skipped(f"against {name}", why))
    return found, missing


def _numpy(arms: int, seed: int) -> Peer:
    a, b, rng = np.ones(arms), np.ones(arms), np.random.default_rng(seed)

    def learn(arm: int, reward: bool) -> None:
        (a if reward else b)[arm] += 1

    return Peer(lambda: int(rng.beta(a, b).argmax()), learn)


def _stdlib(arms: int, seed: int) -> Peer:
    shapes, betavariate = [[1, 1] for _ in range(arms)], random.Random(seed).betavariate

    def decide() -> int:
        scores = [betavariate(a, b) for a, b in shapes]
        return scores.index(max(scores))

    def learn(arm: int, reward: bool) -> None:
        shapes[arm][not reward] += 1

    return Peer(decide, learn)


def _mabwiser(arms: int, seed: int) -> Peer:
    """It learns in batches: each call costs it about as much for one trial as for many."""
    from mabwiser.mab import MAB, LearningPolicy  # type: ignore[import-not-found,unused-ignore]

    bandit = MAB(list(range(arms)), LearningPolicy.ThompsonSampling(), seed=seed)
    bandit.fit(list(range(arms)), [0] * arms)
    waiting: list[tuple[int, int]] = []

    def learn(arm: int, reward: bool) -> None:
        waiting.append((arm, int(reward)))
        if len(waiting) == _BATCH:
            bandit.partial_fit(*map(list, zip(*waiting, strict=True)))
            waiting.clear()

    return Peer(bandit.predict, learn)


def _river(arms: int, seed: int) -> Peer:
    from river import bandit, proba  # type: ignore[import-not-found,unused-ignore]

    policy, names = bandit.ThompsonSampling(reward_obj=proba.Beta(), seed=seed), list(range(arms))
    return Peer(lambda: int(policy.pull(names)), policy.update)


def _bayesianbandits(arms: int, seed: int) -> Peer:
    """The chance of a success, of its Dirichlet over failure and success."""
    from bayesianbandits import (  # type: ignore[import-not-found,unused-ignore]
        Agent,
        Arm,
        DirichletClassifier,
        ThompsonSampling,
    )

    names = range(arms)
    prior = {0: 1.0, 1: 1.0}
    agent = Agent(
        [
            Arm(
                name,
                reward_function=lambda drawn: drawn[..., 1],
                learner=DirichletClassifier(prior),
            )
            for name in names
        ],
        ThompsonSampling(),
        random_seed=seed,
    )

    def learn(arm: int, reward: bool) -> None:
        agent.select_for_update(arm).update(np.array([int(reward)]))

    return Peer(lambda: int(agent.pull()[0]), learn)


def _gittins(arms: int, seed: int) -> Peer:
    """It has no Thompson sampling: its own engine; a decision and its outcome belong together."""
    import gittins  # type: ignore[import-not-found,unused-ignore]

    state = gittins.create(bits=8, horizon=3600.0)
    candidates: list[tuple[str, dict[str, float]]] = [(str(arm), {}) for arm in range(arms)]
    began = time.time() + seed
    count, last = 0, ""

    def decide() -> int:
        nonlocal count, last
        if last:
            gittins.learn(state, last, 0.0, began + count)
        count += 1
        record = gittins.decide(state, {}, candidates, began + count, f"d-{count}")
        last = record.decision_id
        return int(record.chosen)

    def learn(arm: int, reward: bool) -> None:
        nonlocal last
        gittins.learn(state, last, float(reward), began + count)
        last = ""

    return Peer(decide, learn, waits=False)


_MAKERS: Mapping[str, Callable[[int, int], Peer]] = {
    "numpy rng.beta(a, b).argmax()": _numpy,
    "stdlib betavariate": _stdlib,
    "mabwiser": _mabwiser,
    "river": _river,
    "bayesianbandits": _bayesianbandits,
    "gittins (its own policy; learning included)": _gittins,
}
