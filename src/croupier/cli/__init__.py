"""The door for people: croupier up, supervise, arms, log, backup, and more."""

import sys
from typing import Annotated

import typer

from croupier import __version__
from croupier.cli.arms import arms
from croupier.cli.audit import audit
from croupier.cli.backup import backup, restore
from croupier.cli.candidates import candidates
from croupier.cli.demo import demo
from croupier.cli.doctor import doctor
from croupier.cli.evaluate import evaluate
from croupier.cli.export import export
from croupier.cli.imports import import_
from croupier.cli.key import key
from croupier.cli.log import log
from croupier.cli.parts import join, learn, observe, serve
from croupier.cli.prior import prior
from croupier.cli.replay import replay
from croupier.cli.simulate import simulate
from croupier.cli.source import source
from croupier.cli.spark import spark
from croupier.cli.supervise import supervise
from croupier.cli.surrogate import surrogate
from croupier.cli.up import up
from croupier.cli.verdicts import estimates

app = typer.Typer(
    name="croupier",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
_RUN = (up, supervise, arms, candidates, estimates, key, audit, log, backup, restore, export)
_PARTS = (serve, join, observe, learn, source)
_LEARN = (demo, simulate, evaluate, prior, surrogate, replay, doctor)
for command in (*_RUN, *_LEARN, *_PARTS):
    app.command(no_args_is_help=False)(command)
app.command("import", no_args_is_help=False)(import_)
app.add_typer(spark)


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def _say_version(*, wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def croupier(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_say_version, is_eager=True),
    ] = False,
) -> None:
    """Multi-armed bandits in production, as one closed loop."""


def main() -> None:
    """Run the command line; what a user can mend is one line a problem, exit code 2."""
    try:
        from croupier.config.errors import ConfigError
        from croupier.ports import StaleError, UnavailableError, UnusableError
    except KeyboardInterrupt:
        sys.exit(130)
    try:
        app()
    except StaleError as error:
        print(f"stopped, nothing was counted twice: {error}", file=sys.stderr)
        sys.exit(1)
    except (ConfigError, UnusableError, UnavailableError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
