"""Decide in process: a hashed draw from published weights, against sampling at each request."""

import random
import time
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.measure import cpu_micros
from benchmarks.report import Row, Skipped, at_most
from benchmarks.table import beta_decider
from croupier.core.decide import hash_unit

ARMS = 5


def rows(*, quick: bool) -> Iterator[Row | Skipped]:
    (peers, skipped), variants = _peers(), _ours()
    times = cpu_micros(peers | variants, rounds=3 if quick else 15)
    ours = times["ours"]
    yield at_most(f"decide, {ARMS} arms, in process", "µs CPU", ours, 5.0)
    for name in ("sticky unit", "sticky decision", "exclude one (cached)", "hash unit, id, clock"):
        yield Row(f"decide, {ARMS} arms, {name}", "µs CPU", times[name])
    yield at_most("decide, 1,000 arms", "µs CPU", times["1,000 arms"], 5.0)
    for name in peers:
        yield Row(f"decide, {ARMS} arms, in process", "µs CPU", ours, name, times[name])
    yield from skipped
    yield Skipped("decide, bag of 12 slots", "slots > 1 is not built yet")


def _ours() -> dict[str, Callable[[], object]]:
    at, unit = int(time.time() * 1000), hash_unit(bytes(32), "u-17")
    tracking_id = at.to_bytes(6, "big") + bytes(9)
    five, many = beta_decider(ARMS), beta_decider(1_000)
    by_unit, by_decision = beta_decider(ARMS, sticky="unit"), beta_decider(ARMS, sticky="decision")
    known = {f"arm-{number}": number for number in range(ARMS)}

    def whole() -> object:
        now = time.time_ns() // 1_000_000
        made = now.to_bytes(6, "big") + bytes(9)
        return five.decide(hash_unit(bytes(32), "u-17"), now, made, None, (), known)

    return {
        "ours": lambda: five.decide(unit, at, tracking_id),
        "sticky unit": lambda: by_unit.decide(unit, at, tracking_id),
        "sticky decision": lambda: by_decision.decide(unit, at, tracking_id),
        "exclude one (cached)": lambda: five.decide(unit, at, tracking_id, None, ["arm-0"], known),
        "hash unit, id, clock": whole,
        "1,000 arms": lambda: many.decide(unit, at, tracking_id),
    }


def _peers() -> tuple[dict[str, Callable[[], object]], list[Skipped]]:
    posterior = beta_decider(ARMS).snapshot.posterior
    a, b = np.array(posterior.a), np.array(posterior.b)  # type: ignore[union-attr]
    shapes, rng = list(zip(a.tolist(), b.tolist(), strict=True)), np.random.default_rng(1)
    betavariate = random.Random(1).betavariate

    def stdlib() -> int:
        scores = [betavariate(x, y) for x, y in shapes]
        return scores.index(max(scores))

    peers: dict[str, Callable[[], object]] = {
        "numpy rng.beta(a, b).argmax()": lambda: rng.beta(a, b).argmax(),
        "stdlib betavariate": stdlib,
    }
    skipped = []
    for name, make in (("mabwiser", _mabwiser), ("river", _river)):
        try:
            peers[name] = make(a, b)
        except ImportError:
            skipped.append(Skipped(f"decide against {name}", f"not installed: pip install {name}"))
    return peers, skipped


def _mabwiser(a: "np.ndarray[tuple[int], np.dtype[np.float64]]", b: object) -> Callable[[], object]:
    from mabwiser.mab import MAB, LearningPolicy  # type: ignore[import-not-found,unused-ignore]

    dice = random.Random(2)
    arms = list(range(len(a)))
    shown = [dice.choice(arms) for _ in range(100 * len(arms))]
    bandit = MAB(arms, LearningPolicy.ThompsonSampling())
    bandit.fit(shown, [int(dice.random() < 0.1) for _ in shown])
    predict: Callable[[], object] = bandit.predict
    return predict


def _river(a: "np.ndarray[tuple[int], np.dtype[np.float64]]", b: object) -> Callable[[], object]:
    from river import bandit, proba  # type: ignore[import-not-found,unused-ignore]

    dice = random.Random(2)
    policy = bandit.ThompsonSampling(dist=proba.Beta(), seed=1)
    arms = list(range(len(a)))
    for _ in range(100 * len(arms)):
        policy.update(dice.choice(arms), dice.random() < 0.1)
    return lambda: policy.pull(arms)
