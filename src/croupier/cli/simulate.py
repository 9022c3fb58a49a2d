"""croupier simulate: policies in a world whose truth is known."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from croupier.cli.options import Json, Seed
from croupier.cli.pictures import in_a_folder, put_picture

if TYPE_CHECKING:
    from croupier.cli.players import Play
    from croupier.core.worlds.regret import Simulation

WorldName = Annotated[str, typer.Option(help="One of the worlds above.")]
Policies = Annotated[
    list[str] | None,
    typer.Option(help="kind, or kind:key=value,key=value; may be given several times."),
]
Visits = Annotated[int, typer.Option(min=1, help="How many visits come.")]
Arms = Annotated[
    str | None, typer.Option(help="The arms' mean success rates; 0.02,0.025,0.03 if not said.")
]
Refresh = Annotated[
    str | None, typer.Option(help="How often weights are published; 1m if not said.")
]
Session = Annotated[
    str | None, typer.Option(help='How long a session lasts, or "none"; 15m if not said.')
]
Slots = Annotated[
    int | None, typer.Option(min=1, help="How many arms each visit is shown; 1 if not said.")
]
RankingName = Annotated[
    str | None, typer.Option(help="pooled, slots, position or cascade: how slots are learned.")
]
SomeConfig = Annotated[
    Path | None, typer.Option("--config", "-c", help="Take all settings from this file …")
]
Declared = Annotated[str | None, typer.Option(help="… and this experiment in it.")]
Picture = Annotated[
    Path | None, typer.Option(help="Write shares over time as an SVG.", callback=in_a_folder)
]


def simulate(  # noqa: PLR0913 - one parameter an option
    world: WorldName = "stationary",
    policy: Policies = None,
    visits: Visits = 100_000,
    seed: Seed = 1,
    arms: Arms = None,
    refresh: Refresh = None,
    session: Session = None,
    config: SomeConfig = None,
    experiment: Declared = None,
    picture: Picture = None,
    slots: Slots = None,
    ranking: RankingName = None,
    *,
    as_json: Json = False,
) -> None:
    """Play policies against a world whose truth is known: regret, and shares over time.

    The ring is the real one, in simulated time; all policies meet the same visits. What was
    learned is held against what happened, to the last trial (exit code 1 if they differ).

    Worlds, with 1,000 visits an hour:

    * `stationary`: nothing changes; reports arrive once, within seconds.
    * `drifting`: arms take the lead in turn, over four days.
    * `cyclic`: traffic peaks at noon and all rates in the evening; the best arm stays best.
    * `delayed`: half of the outcomes take over 5 minutes, and 14% over 15.
    * `hostile`: reports come shuffled, twice (20%), hours late (5%), never (1%).
    * `returning`: six visits in ten are by units that came before, up to a day ago.

    For example:

      croupier simulate --world drifting --policy thompson:half_life=12h

      croupier simulate --arms 0.04,0.05 --refresh 10s --picture shares.svg

      croupier simulate --slots 2 --arms 0.02,0.03,0.04,0.05 --ranking slots

      croupier simulate --config croupier.toml --experiment top-button

    With several slots a visitor looks at the next one with probability 0.8^j; regret is against
    the best slate in its best order, and churn is how many of the likeliest arms still change.
    """
    import msgspec

    from croupier.cli.players import Options, play_of
    from croupier.cli.shares import report

    options = Options(world, seed, config, experiment, arms, refresh, session, slots, ranking)
    found = _played(play_of(options, policy or []), visits, quiet=as_json)
    if as_json:
        print(msgspec.json.encode(found).decode())
    else:
        report(found)
    if picture is not None:
        put_picture(picture, _picture(found))
    if not all(run.exact for run in found.runs):
        raise typer.Exit(1)


def _played(play: "Play", visits: int, *, quiet: bool) -> "Simulation":
    """Simulate, with a bar on stderr where somebody may look at it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from croupier.runners.simulation import simulate as run

    hidden = quiet or not sys.stderr.isatty()
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=hidden, transient=True) as bar:
        task = bar.add_task("", total=visits * len(play.players))
        return run(
            play.world,
            play.rates,
            play.players,
            visits,
            play.seed,
            on_visits=lambda done: bar.advance(task, done),
        )


def _picture(found: "Simulation") -> str:
    from croupier.runners.picture import share_pictures

    title = f"Share of each arm over time: {found.visits:,} visits to the {found.world} world"
    panels = {
        f"{run.policy}: {run.of_uniform:.0%} of uniform's regret": run.shares for run in found.runs
    }
    return share_pictures(title, found.times, found.arms, panels, "time", found.best)
