"""Where commands that only read look: a data file, or a distributed ring."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from croupier.cli.options import DATA

if TYPE_CHECKING:
    from croupier.config.backends import Backends

LogUrl = Annotated[
    str, typer.Option("--log", envvar="CROUPIER_LOG", help="Of a distributed ring: kafka://…")
]
StatesUrl = Annotated[
    str, typer.Option("--states", envvar="CROUPIER_STATES", help="Of one: postgresql://…")
]
CacheUrl = Annotated[
    str, typer.Option("--cache", envvar="CROUPIER_CACHE", help="Of one: redis://…")
]


def is_distributed(data: str, log: str) -> bool:
    """Whether a log is named, and no data file against what the environment says.

    >>> is_distributed("croupier.db", ""), is_distributed("shop.db", "kafka://h/p")
    (False, True)
    """
    return bool(log) and (data == DATA or log != os.environ.get("CROUPIER_LOG"))


def told_of(data: str, log: str) -> str:
    """What messages call it, without what may be secret."""
    return log.partition("?")[0] if is_distributed(data, log) else data


def open_to_look(data: str, log: str, states: str, *, whole: bool = True) -> "Backends":
    """What the options name, read only; `whole`: with what was learned, not the log alone."""
    from croupier.config.backends import data_file, open_backends
    from croupier.config.errors import ConfigError
    from croupier.config.services import open_reading

    if is_distributed(data, log):
        if whole and not states:
            raise ConfigError("--log needs --states postgresql://… beside it: sums are kept there")
        return open_reading(log, states)
    file = data_file(data)
    if not file.exists():
        raise ConfigError(f"{file}: no such data file (a distributed ring: --log kafka://…)")
    return open_backends(file, read_only=True)
