"""The door for people: croupier up, demo, simulate, replay, doctor."""

import typer

app = typer.Typer(
    name="croupier",
    help="Multi-armed bandits in production, as one closed loop.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line."""
    app()
