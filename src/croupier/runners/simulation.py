"""The simulation: the real ring on memory, in a known world and time."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from croupier.core.convergence import churn
from croupier.core.experiment import Experiment
from croupier.core.reward import MICRO
from croupier.core.worlds.ledger import account, worth
from croupier.core.worlds.regret import Course, Run, Simulation
from croupier.core.worlds.world import World
from croupier.runners.table import Table

STEPS = 60


def simulate(  # noqa: PLR0913 - a world, its arms, who plays, how long, which luck
    world: World,
    rates: Sequence[float],
    experiments: Mapping[str, Experiment],
    visits: int,
    seed: int,
    steps: int = STEPS,
    on_visits: Callable[[int], object] = lambda _: None,
) -> Simulation:
    """Send the same visits through one ring for each labelled experiment, all of the same arms.

    The same arguments give the same answer. `on_visits` is told how many more are done.
    """
    fate = world.visits(visits, np.random.default_rng(seed))
    truth = world.change.rates(list(rates), fate.at.astype(np.float64))
    end = int(fate.at[-1]) + 1
    first = next(iter(experiments.values()))
    views = world.views(fate, len(first.arms), first.slots, np.random.default_rng((seed, 1)))
    attention = tuple(world.attention.of(first.slots).tolist())
    value = truth * (worth(first, 1) / MICRO)
    course = Course(value, fate.at * steps // end, steps, attention)
    uniform = course.uniform_regret()
    best, at_the_end = course.best(), course.best_at_the_end()
    runs = []
    for label, spec in experiments.items():
        table = Table(spec, fate, views, seed)
        shown = table.play(views.luck < truth, on_visits)
        regret, shares = course.regret(shown.arm), course.shares(shown.arm)
        learned, expected = table.learned(), account(spec, fate, shown, views)
        runs.append(
            Run(
                policy=label,
                regret=regret.tolist(),
                shares=shares.tolist(),
                best_share=float(shares[-1, at_the_end].sum()),
                of_uniform=float(regret[-1] / uniform[-1]) if uniform[-1] > 0 else 0.0,
                reward=sum(learned.reward) / MICRO,
                duplicates=table.duplicates,
                snapshots=table.snapshots,
                churn=churn(table.last),
                exact=learned == expected,
                learned=learned,
                expected=expected,
            )
        )
    return Simulation(
        world=world.name,
        seed=seed,
        visits=visits,
        arms=list(first.arms),
        rates=list(rates),
        attention=list(attention),
        times=[end * (place + 1) // steps for place in range(steps)],
        best=[first.arms[arm] for arm in best],
        uniform_regret=uniform.tolist(),
        runs=runs,
    )
