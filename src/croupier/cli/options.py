"""Options that several commands share."""

import logging
from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path, typer.Option("--config", "-c", help="The declaration of experiments, a TOML file.")
]
DATA = "croupier.db"
Data = Annotated[str, typer.Option("--data", "-d", help="The data file, or sqlite:///its-path.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for scripts.")]
Seed = Annotated[int, typer.Option("--seed", help="Makes chance repeatable.")]

LogLevel = Annotated[str, typer.Option(help="debug, info, warning or error.")]
_LEVELS = ("debug", "info", "warning", "error")


def set_up_logging(level: str) -> None:
    """Log to stderr from this level on; BadParameter for another word."""
    if level not in _LEVELS:
        raise typer.BadParameter(f"{level!r} is none of {', '.join(_LEVELS)}")
    number = logging.getLevelName(level.upper())
    logging.basicConfig(level=number, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(max(number, logging.WARNING))


def say_where(address: str) -> None:
    """Tell whoever started us, on stdout, that we answer."""
    print(f"listening on {address}", flush=True)


def ask_duration(option: str, text: str) -> int:
    """Milliseconds that an option was given; a wrong text ends the command in a line."""
    from croupier.core.duration import parse_duration

    try:
        millis = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{option}: {error}") from None
    if millis <= 0:
        raise typer.BadParameter(f"{option}: expected more than 0")
    return millis
