"""croupier up: the whole ring in one process."""

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from croupier.cli.options import Config, Data, LogLevel, say_where, set_up_logging

_LOG = logging.getLogger(__name__)


def up(  # noqa: PLR0913 - the command's own options
    config: Config = Path("croupier.toml"),
    data: Data = "croupier.db",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The port; 0 picks a free one.")
    ] = 8080,
    log_level: LogLevel = "info",
    *,
    new_keys: Annotated[
        bool, typer.Option("--new-keys", help="Make new keys where the keys file was lost.")
    ] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Listen for others though no API key is configured.")
    ] = False,
) -> None:
    """Run the whole ring in one process: serve, join, observe, learn, publish.

    Stops on SIGINT or SIGTERM, and loses nothing when it is killed instead: the next start takes
    up where the data file stands.

    Examples:
      croupier up

      croupier up --config shop.toml --data /var/lib/croupier/shop.db --port 8080
    """
    from croupier.config.backends import data_file
    from croupier.config.keys import load_keys
    from croupier.config.settings import load_settings, with_environment
    from croupier.runners import up as process
    from croupier.runners.reach import refuse_open_doors

    set_up_logging(log_level)
    settings = with_environment(load_settings(config), os.environ)
    if settings.sources:
        named = ", ".join(source.name for source in settings.sources)
        _LOG.warning("[[source]] is not read here, but by `croupier source`: %s", named)
    refuse_open_doors(settings, host, insecure=insecure)
    file = data_file(data)
    process.up(
        settings,
        file,
        lambda: load_keys(file, os.environ, renew=new_keys),
        (host, port),
        say_where,
    )
