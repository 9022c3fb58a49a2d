"""croupier source: what the company's own topics tell becomes events of ours."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from croupier.cli.lines import line_of
from croupier.cli.options import Config, LogLevel, set_up_logging
from croupier.cli.parts import say_ready

if TYPE_CHECKING:
    from croupier.config.settings import Settings
    from croupier.core.sources.declared import Source

_URL = "Needed, unless --check."


def source(  # noqa: PLR0913 - the options of a command
    names: Annotated[
        list[str] | None, typer.Argument(help="Which of the file's sources; none: all of them.")
    ] = None,
    log: Annotated[
        str, typer.Option("--log", envvar="CROUPIER_LOG", help=f"kafka://host:port/prefix. {_URL}")
    ] = "",
    states: Annotated[
        str,
        typer.Option(
            "--states", envvar="CROUPIER_STATES", help=f"postgresql://user@host/database. {_URL}"
        ),
    ] = "",
    config: Config = Path("croupier.toml"),
    keys_file: Annotated[
        Path, typer.Option("--keys", help="The keys that the servers sign tokens with.")
    ] = Path("croupier.keys"),
    check: Annotated[
        Path | None,
        typer.Option(help="Print what is made of a file of records, one a line; change nothing."),
    ] = None,
    log_level: LogLevel = "info",
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --check: one JSON object a line.")
    ] = False,
) -> None:
    """Take the events that exist already: your own Kafka topics, as [[source]] maps them to ours.

    With --check it reads a file instead of Kafka, so that a mapping can be tried; where there are
    keys, tokens are verified, too. The exit code is 1 when a record is refused.

    Examples:
      croupier source --check records.jsonl

      croupier source orders --log kafka://10.0.0.5:9092/shop?partitions=8
      --states postgresql://shop@10.0.0.6/shop
    """
    from croupier.config.settings import load_settings
    from croupier.runners.sourcing.process import chosen

    set_up_logging(log_level if check is None else "warning")
    settings = load_settings(config)
    sources = chosen(settings, names or [])
    if check is None:
        _run(settings, sources, (log, states), keys_file)
    elif len(sources) > 1:
        raise typer.BadParameter("--check: name the source that the records are of")
    elif _check(settings, sources[0], check, keys_file, as_json=as_json):
        raise typer.Exit(1)


def _run(
    settings: "Settings", sources: "list[Source]", urls: tuple[str, str], keys_file: Path
) -> None:
    import os

    from croupier.config.keys import read_keys
    from croupier.runners.sourcing.process import run_sources

    for url, option in zip(urls, ("--log", "--states"), strict=True):
        if not url:
            raise typer.BadParameter(f"{option} is needed, unless --check")
    keys = read_keys(keys_file, os.environ)
    run_sources(settings, sources, urls, keys, os.environ, say_ready)


def _check(
    settings: "Settings", source: "Source", file: Path, keys_file: Path, *, as_json: bool
) -> bool:
    """Print what is made of each record; whether any is refused."""
    import os
    import sys

    from croupier.config.errors import ConfigError
    from croupier.config.keys import TOKEN_KEYS, read_keys
    from croupier.runners.sourcing.sample import read_sample

    keys = None
    if keys_file.exists() or TOKEN_KEYS in os.environ:
        keys = read_keys(keys_file, os.environ)
    else:
        print(f"{keys_file}: no keys: tokens and arms are not checked", file=sys.stderr)
    refused = False
    try:
        with file.open("rb") as lines:
            for told in read_sample(settings, source, lines, keys):
                refused = refused or "refused" in told
                print(json.dumps(told) if as_json else _line(told))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}") from error
    return refused


def _line(told: dict[str, Any]) -> str:
    place = f"{told['line']:>4}"
    if "event" in told:
        return f"{place}  {line_of(told['event'])}"
    if "report" in told:
        return f"{place}  {json.dumps(told['report'])}"
    if "refused" in told:
        return f"{place}  REFUSED ({told['refused']}): {told['reason']}"
    return f"{place}  skipped ({told['skipped']})"
