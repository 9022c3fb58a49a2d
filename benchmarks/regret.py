"""Regret of each policy in the common worlds, beside the Thompson sampling of other libraries.

All meet the same visits with the same luck. Ours go through the whole ring: they learn when a
session's story has closed, half an hour later, from reports that may be lost or late. The peers
are told the outcome of each visit at once, once, and truly, and see each visit as a trial.
"""

from collections.abc import Iterator

import numpy as np

from benchmarks.peers import Peer, peers
from benchmarks.report import Row, Skipped
from benchmarks.table import toml
from croupier.config.settings import parse_settings
from croupier.core.policies.registry import POLICIES
from croupier.core.worlds.registry import WORLDS
from croupier.core.worlds.regret import Course
from croupier.core.worlds.world import World
from croupier.runners.simulation import STEPS, simulate

RATES, SEED = (0.04, 0.06, 0.08), 1
_DISCOUNTED = '{ kind = "thompson", half_life = "12h" }'


def rows(*, quick: bool) -> Iterator[Row | Skipped]:
    visits = 1_000 if quick else 20_000
    for name, world in WORLDS.items():
        ours = _ours(world, visits)
        found, missing = peers(len(RATES), SEED)
        theirs = {each: _play(world, peer, visits) for each, peer in found.items()}
        least = theirs["numpy rng.beta(a, b).argmax()"]
        for policy, regret in ours.items():
            what = f"regret, {name} world, {policy}"
            yield Row(what, "of even", regret, "numpy's Thompson sampling, told at once", least)
        for each, regret in theirs.items():
            what = f"regret, {name} world, thompson"
            yield Row(what, "of even", ours["thompson"], f"{each}, told at once", regret)
    yield from (Skipped(f"regret, {each.what}", each.why) for each in missing)


def _ours(world: World, visits: int) -> dict[str, float]:
    """Regret as a part of what equal shares would lose, by policy."""
    players = {}
    texts = {kind: f'{{ kind = "{kind}" }}' for kind in POLICIES}
    for label, policy in {**texts, "thompson, half-life 12 h": _DISCOUNTED}.items():
        text = toml("worlds", len(RATES), refresh="1m") + f"policy = {policy}"
        players[label] = parse_settings(text).experiments[0]
    found = simulate(world, RATES, players, visits, SEED)
    assert all(run.exact for run in found.runs), "what was learned is not what happened"
    return {run.policy: run.of_uniform for run in found.runs}


def _play(world: World, peer: Peer, visits: int) -> float:
    fate = world.visits(visits, np.random.default_rng(SEED))
    truth = world.change.rates(list(RATES), fate.at.astype(np.float64))
    wins = (fate.luck[:, None] < truth).tolist()
    shown = np.empty(visits, dtype=np.int64)
    for number, won in enumerate(wins):
        arm = peer.decide()
        peer.learn(arm, won[arm])
        shown[number] = arm
    course = Course(truth, fate.at * STEPS // (int(fate.at[-1]) + 1), STEPS)
    return float(course.regret(shown)[-1] / course.uniform_regret()[-1])
