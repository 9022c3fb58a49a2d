"""croupier spark join, observe, learn: where one machine no longer serves."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from croupier.cli.options import Config, LogLevel, set_up_logging
from croupier.cli.parts import Cache, Log, States

if TYPE_CHECKING:
    from croupier.config.spark import SparkSettings

spark = typer.Typer(
    name="spark",
    help="Join, observe and learn on Spark Structured Streaming: as the plain commands, which may "
    "take over from them and hand over to them at any time.\n\nExamples:\n  croupier spark join "
    "--checkpoints /var/lib/croupier/checkpoints --master 'local[2]'",
    no_args_is_help=True,
)

Checkpoints = Annotated[
    str,
    typer.Option("--checkpoints", help="Where Spark keeps its checkpoints: a folder, or s3a://…"),
]
Recover = Annotated[
    bool,
    typer.Option("--recover", help="Set a checkpoint aside that Spark cannot use, and go on."),
]
Trigger = Annotated[str, typer.Option(help="How often a batch begins; now: read all, then end.")]
Most = Annotated[int, typer.Option(min=1, help="Messages a batch, at most.")]
BucketCount = Annotated[int, typer.Option("--buckets", min=1, help="Buckets of each partition.")]
Master = Annotated[
    str | None, typer.Option("--master", help="local[2], for example; none under spark-submit.")
]
Jars = Annotated[
    Path | None, typer.Option("--jars", help="A folder with the jars of the Kafka connector.")
]
Options = Annotated[
    list[str] | None, typer.Option("--option", help="An option of Spark's: key=value. Repeatable.")
]


def _folding(app: Literal["join", "observe"], does: str) -> Callable[..., None]:
    """The command that runs an app which folds."""

    def command(  # noqa: PLR0913 - the options of a command
        log: Log,
        states: States,
        cache: Cache,
        checkpoints: Checkpoints,
        trigger: Trigger = "10s",
        most: Most = 20_000,
        buckets: BucketCount = 16,
        master: Master = None,
        jars: Jars = None,
        option: Options = None,
        log_level: LogLevel = "info",
        *,
        recover: Recover = False,
    ) -> None:
        from croupier.config.services import Services
        from croupier.runners.distributed.process import told_to_stop
        from croupier.runners.spark.process import run_folding

        set_up_logging(log_level)
        settings = _settings(checkpoints, trigger, most, buckets, master, _options(jars, option))
        run_folding(app, Services(log, states, cache), settings, told_to_stop(), recover=recover)

    example = f"croupier spark {app} --checkpoints s3a://shop/checkpoints --recover"
    command.__doc__ = f"{does}\n\nExamples:\n  {example}"
    return command


_FOLDING: dict[Literal["join", "observe"], str] = {
    "join": "Join impressions and outcomes of all partitions: events → funnels.",
    "observe": "Turn sessions into trials, for all partitions: funnels → observations.",
}
for _app, _does in _FOLDING.items():
    spark.command(_app)(_folding(_app, _does))


@spark.command()
def learn(  # noqa: PLR0913 - the options of a command
    log: Log,
    states: States,
    cache: Cache,
    checkpoints: Checkpoints,
    config: Config = Path("croupier.toml"),
    trigger: Trigger = "5s",
    most: Most = 20_000,
    master: Master = None,
    jars: Jars = None,
    option: Options = None,
    log_level: LogLevel = "info",
    *,
    recover: Recover = False,
) -> None:
    """Add trials up, each once, and publish snapshots; declare what the file says. There is one.

    Examples:
      croupier spark learn --config croupier.toml --checkpoints s3a://shop/checkpoints --recover
    """
    from croupier.config.services import Services
    from croupier.config.settings import load_settings
    from croupier.runners.distributed.process import told_to_stop
    from croupier.runners.spark.process import run_learning

    set_up_logging(log_level)
    settings = _settings(checkpoints, trigger, most, 1, master, _options(jars, option))
    run_learning(
        load_settings(config),
        Services(log, states, cache),
        settings,
        told_to_stop(),
        recover=recover,
    )


def _settings(
    checkpoints: str,
    trigger: str,
    most: int,
    buckets: int,
    master: str | None,
    options: dict[str, str],
) -> "SparkSettings":
    from croupier.config.spark import SparkSettings

    return SparkSettings(checkpoints, trigger, most, buckets, master, options)


def _options(jars: Path | None, option: list[str] | None) -> dict[str, str]:
    """Spark's options; BadParameter for what is none."""
    found: dict[str, str] = {}
    for one in option or ():
        key, equals, value = one.partition("=")
        if not equals:
            raise typer.BadParameter(f"{one!r}: expected key=value", param_hint="--option")
        found[key.strip()] = value.strip()
    if jars is not None:
        files = sorted(map(str, jars.glob("*.jar")))
        if not files:
            raise typer.BadParameter(f"{jars}: no jars in it", param_hint="--jars")
        found["spark.jars"] = ",".join(files)
    return found
