"""Regret of each policy in the common worlds, beside the Thompson sampling of other libraries.

All meet the same visits with the same luck. Ours go through the whole ring: they learn when a
session's story has closed, half an hour later, from reports that may be lost or late. The peers
are told the outcome of each visit once and truly, at once or as late as ours, and see each visit
as a trial. Luck weighs more than the library: means of three histories, with their spread.
"""

import statistics
from collections import defaultdict, deque
from collections.abc import Iterator

import numpy as np

from benchmarks.peers import Peer, peers
from benchmarks.report import Row, Skipped
from benchmarks.table import toml
from croupier.config.settings import parse_settings
from croupier.core.arms.bernoulli import Beta
from croupier.core.policies.registry import POLICIES
from croupier.core.policies.thompson import Thompson
from croupier.core.snapshot import publish_weights
from croupier.core.worlds.registry import WORLDS
from croupier.core.worlds.regret import Course
from croupier.core.worlds.world import World
from croupier.runners.simulation import STEPS, simulate

RATES, SEEDS = (0.04, 0.06, 0.08), (1, 2, 3)
_DISCOUNTED = '{ kind = "thompson", half_life = "12h" }'
_FRESH = 16
"""Our own Thompson sampling, told at once, publishes after so many trials."""


def rows(*, quick: bool) -> Iterator[Row | Skipped]:
    visits, seeds = (1_000, SEEDS[:2]) if quick else (8_000, SEEDS)
    _, missing = peers(len(RATES), 1)
    for name, world in WORLDS.items():
        ours, theirs = defaultdict(list), defaultdict(list)
        for seed in seeds:
            for label, regret in _ours(world, visits, seed).items():
                ours[label].append(regret)
            for label, regret in _theirs(world, visits, seed).items():
                theirs[label].append(regret)
        numpys = statistics.mean(theirs["numpy rng.beta(a, b).argmax(), told at once"])
        for label, regrets in ours.items():
            what = f"regret, {name}, {label}"
            yield Row(what, "of even", statistics.mean(regrets), "numpy, told at once", numpys)
        best = ours["thompson"]
        for label, regrets in theirs.items():
            against = f"{label}; {_spread(best)}, {_spread(regrets)}"
            mean = statistics.mean(regrets)
            yield Row(f"regret, {name}, thompson", "of even", statistics.mean(best), against, mean)
    yield from (Skipped(f"regret, {each.what}", each.why) for each in missing)


def _spread(regrets: list[float]) -> str:
    return f"{min(regrets):.2g} to {max(regrets):.2g}"


def _ours(world: World, visits: int, seed: int) -> dict[str, float]:
    """Regret as a part of what equal shares would lose, by policy."""
    players = {}
    texts = {kind: f'{{ kind = "{kind}" }}' for kind in POLICIES}
    for label, policy in {**texts, "thompson, half-life 12 h": _DISCOUNTED}.items():
        text = toml("worlds", len(RATES), refresh="1m") + f"policy = {policy}"
        players[label] = parse_settings(text).experiments[0]
    found = simulate(world, RATES, players, visits, seed)
    assert all(run.exact for run in found.runs), "what was learned is not what happened"
    return {run.policy: run.of_uniform for run in found.runs}


def _weights(seed: int) -> Peer:
    """Our weights without the ring: what waiting for the window, and nothing else, costs."""
    rng, policy = np.random.default_rng(seed), Thompson()
    a, b = [1.0] * len(RATES), [1.0] * len(RATES)
    weights, count = publish_weights(policy, Beta(tuple(a), tuple(b))), 0

    def learn(arm: int, reward: bool) -> None:
        nonlocal weights, count
        (a if reward else b)[arm] += 1.0
        count += 1
        if count % _FRESH == 0:
            weights = publish_weights(policy, Beta(tuple(a), tuple(b)))

    return Peer(lambda: int(rng.choice(len(RATES), p=weights)), learn)


def _theirs(world: World, visits: int, seed: int) -> dict[str, float]:
    """The same of the peers, told at once and, if they can wait, as late as ours."""
    late = parse_settings(toml("worlds", len(RATES))).experiments[0].longest_story
    regrets = {}
    for wait, told in ((0, "told at once"), (late, "told as late as ours")):
        found, _ = peers(len(RATES), seed)
        for label, peer in {**found, "our own weights": _weights(seed)}.items():
            if peer.waits or not wait:
                regrets[f"{label}, {told}"] = _play(world, peer, visits, seed, wait)
    return regrets


def _play(world: World, peer: Peer, visits: int, seed: int, wait: int = 0) -> float:
    fate = world.visits(visits, np.random.default_rng(seed))
    truth = world.change.rates(list(RATES), fate.at.astype(np.float64))
    wins = (fate.luck[:, None] < truth).tolist()
    shown = np.empty(visits, dtype=np.int64)
    untold: deque[tuple[int, int, bool]] = deque()
    for number, (at, won) in enumerate(zip(fate.at.tolist(), wins, strict=True)):
        while untold and untold[0][0] + wait <= at:
            peer.learn(*untold.popleft()[1:])
        arm = peer.decide()
        untold.append((at, arm, won[arm]))
        shown[number] = arm
    course = Course(truth, fate.at * STEPS // (int(fate.at[-1]) + 1), STEPS)
    return float(course.regret(shown)[-1] / course.uniform_regret()[-1])
