"""croupier serve, join, observe, learn: the ring as processes that meet on Kafka."""

import logging
from pathlib import Path
from typing import Annotated, Literal

import typer

from croupier.cli.options import Config, LogLevel, say_where, set_up_logging

Log = Annotated[
    str,
    typer.Option("--log", envvar="CROUPIER_LOG", help="kafka://host:port/prefix?partitions=8"),
]
States = Annotated[
    str,
    typer.Option("--states", envvar="CROUPIER_STATES", help="postgresql://user@host/database"),
]
Cache = Annotated[str, typer.Option("--cache", envvar="CROUPIER_CACHE", help="redis://host:port/0")]
ShareOption = Annotated[
    str,
    typer.Option("--share", help="Which share of the partitions, such as 2/3: the second of 3."),
]


def serve(  # noqa: PLR0913 - the options of a command
    log: Log,
    states: States,
    cache: Cache,
    config: Config = Path("croupier.toml"),
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The port; 0 picks a free one.")
    ] = 8080,
    keys_file: Annotated[
        Path,
        typer.Option("--keys", help="The keys that all servers share; made where it is missing."),
    ] = Path("croupier.keys"),
    log_level: LogLevel = "info",
    *,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen for others though no API key is configured.")
    ] = False,
) -> None:
    """Decide and take reports: one of several like servers of a distributed ring.

    It waits until `croupier learn` has declared the experiments of the file. Snapshots come from
    Redis; while Redis is away, the last ones serve on.

    Examples:
      croupier serve --log kafka://10.0.0.5:9092/shop --states postgresql://shop@10.0.0.6/shop
      --cache redis://10.0.0.7:6379/0 --port 8080
    """
    import os

    from croupier.config.keys import load_shared_keys
    from croupier.config.services import Services
    from croupier.config.settings import load_settings, with_environment
    from croupier.runners.distributed import process
    from croupier.runners.reach import refuse_open_doors

    set_up_logging(log_level)
    settings = with_environment(load_settings(config), os.environ)
    refuse_open_doors(settings, host, insecure=insecure)
    keys = load_shared_keys(keys_file, os.environ)
    process.run_server(settings, Services(log, states, cache), keys, (host, port), say_where)


def join(
    log: Log, states: States, cache: Cache, share: ShareOption = "1/1", log_level: LogLevel = "info"
) -> None:
    """Join impressions and outcomes of a share of the partitions: events → funnels.

    Examples:
      croupier join --share 1/2
    """
    _work("join", (log, states, cache), share, log_level)


def observe(
    log: Log, states: States, cache: Cache, share: ShareOption = "1/1", log_level: LogLevel = "info"
) -> None:
    """Turn sessions into trials, for a share of the partitions: funnels → observations.

    Examples:
      croupier observe --share 2/2
    """
    _work("observe", (log, states, cache), share, log_level)


def learn(
    log: Log,
    states: States,
    cache: Cache,
    config: Config = Path("croupier.toml"),
    log_level: LogLevel = "info",
) -> None:
    """Add trials up, each once, and publish snapshots; declare what the file says. There is one.

    Examples:
      croupier learn --config croupier.toml
    """
    from croupier.config.services import Services
    from croupier.config.settings import load_settings
    from croupier.runners.distributed import process

    set_up_logging(log_level)
    settings = load_settings(config)
    process.run_learner(settings, Services(log, states, cache), say_ready)


def _work(
    app: Literal["join", "observe"], urls: tuple[str, str, str], share: str, log_level: str
) -> None:
    from croupier.config.services import Services
    from croupier.runners.distributed import process
    from croupier.runners.distributed.share import Share

    set_up_logging(log_level)
    try:
        part = Share.parse(share)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--share") from None
    process.run_worker(app, Services(*urls), part, say_ready)


def say_ready() -> None:
    """Tell whoever started us, on stdout, that we work."""
    logging.getLogger(__name__).info("ready")
    print("ready", flush=True)
