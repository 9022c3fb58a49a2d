"""croupier up: the whole ring in one process."""

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from croupier.cli.options import Config, Data

_LEVELS = ("debug", "info", "warning", "error")


def up(  # noqa: PLR0913 - the command's own options
    config: Config = Path("croupier.toml"),
    data: Data = "croupier.db",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The port; 0 picks a free one.")
    ] = 8080,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
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

    if log_level not in _LEVELS:
        raise typer.BadParameter(f"{log_level!r} is none of {', '.join(_LEVELS)}")
    level = logging.getLevelName(log_level.upper())
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(max(level, logging.WARNING))
    settings = with_environment(load_settings(config), os.environ)
    refuse_open_doors(settings, host, insecure=insecure)
    file = data_file(data)
    keys = load_keys(file, os.environ, renew=new_keys)
    process.up(settings, file, keys, host, port, lambda at: print(f"listening on {at}", flush=True))
