"""croupier simulate: the real ring in a world whose truth is known."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from croupier.cli.options import Json, Seed

if TYPE_CHECKING:
    from croupier.core.experiment import Experiment
    from croupier.core.worlds.regret import Simulation
    from croupier.core.worlds.world import World

_NAME = "simulated"


def simulate(  # noqa: PLR0913 - one parameter an option
    world: Annotated[str, typer.Option(help="One of the worlds above.")] = "stationary",
    policy: Annotated[
        list[str] | None,
        typer.Option(help="kind or kind:key=value,key=value; may be given several times."),
    ] = None,
    visits: Annotated[int, typer.Option(min=1, max=100_000_000, help="How many visits.")] = 100_000,
    seed: Seed = 1,
    arms: Annotated[
        str | None, typer.Option(help="True mean success rate of each arm, by default 2 to 3 %.")
    ] = None,
    refresh: Annotated[str | None, typer.Option(help="How often weights are published.")] = None,
    session: Annotated[str | None, typer.Option(help='Length of a session, or "none".')] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Take the settings declared there …")
    ] = None,
    experiment: Annotated[str | None, typer.Option(help="… for the experiment of this name.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Write shares over time to an SVG.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Play policies against a world whose truth is known: regret, and shares over time.

    The ring is the real one, in simulated time; all policies meet the same visits. What it
    learned is held against what happened, to the last trial.

    Worlds (1,000 visits an hour):

    - stationary: nothing changes; reports arrive once, within a second.

    - drifting: arms take the lead in turn, over four days.

    - cyclic: traffic peaks at noon and all rates in the evening; the best arm stays best.

    - delayed: half of the outcomes take over 5 minutes, and 14 % over 15.

    - hostile: reports come twice (20 %), shuffled, hours late (5 %), or never (1 %).

    - returning: six visits in ten are by units that came before, seconds to a day ago.

    Examples:

      croupier simulate

      croupier simulate --world drifting --policy thompson --policy thompson:half_life=12h

      croupier simulate --arms 0.02,0.025,0.03 --refresh 10s --seed 7 --picture shares.svg

      croupier simulate --config croupier.toml --experiment top-button --json
    """
    import msgspec

    from croupier.runners import simulation

    chosen = _world(world)
    rates = None if arms is None else _rates(arms)
    base = _declared(config, experiment, refresh, session, rates)
    base_rates = rates or _spread(len(base.arms))
    if problem := chosen.change.problem(base_rates):
        raise typer.BadParameter(f"{problem} in the {world} world", param_hint="--arms")
    players = {text: _with_policy(base, text) for text in policy or ()} or {
        str(base.policy.__struct_config__.tag): base
    }
    with _Progress(visits * len(players), shown=not as_json) as on_visits:
        result = simulation.simulate(
            chosen, base_rates, players, visits, seed, on_visits=on_visits
        )
    if as_json:
        print(msgspec.json.encode(result).decode())
    else:
        _report(result)
    if picture:
        _draw(result, picture)
