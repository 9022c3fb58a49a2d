"""croupier supervise: keeps a server running, within reason."""

from pathlib import Path
from typing import Annotated

import typer

from croupier.cli.options import ask_duration

_DATA = ("--data", "-d")


def supervise(  # noqa: PLR0913 - the command's own options
    command: Annotated[
        list[str] | None,
        typer.Argument(help="What to run, after `--`; a further `--` begins another command."),
    ] = None,
    every: Annotated[str, typer.Option(help="How often to check.")] = "10s",
    failures: Annotated[
        int, typer.Option(min=1, help="Failed checks in a row before a restart.")
    ] = 3,
    timeout: Annotated[str, typer.Option(help="How long a check may take.")] = "5s",
    patience: Annotated[str, typer.Option(help="How long a start may take.")] = "60s",
    restarts: Annotated[int, typer.Option(min=0, help="Restarts before giving up…")] = 5,
    within: Annotated[str, typer.Option(help="…in this time.")] = "10m",
    wait: Annotated[str, typer.Option(help="Before the first restart; then twice as long.")] = "1s",
    stop: Annotated[str, typer.Option(help="From SIGTERM to SIGKILL.")] = "10s",
    url: Annotated[
        str | None, typer.Option(help="Where it listens; by default as the command says itself.")
    ] = None,
    notify: Annotated[
        str | None, typer.Option(help="A shell command, run at each restart and on giving up.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="Where to write its state; default: <data>.supervised.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Run a command, watch its process, /healthz and /readyz, and start it again when it fails.

    Gives up, with exit code 1, after too many restarts; at once, with 2, where the command refuses
    its configuration. SIGTERM and SIGINT stop the command first. The hook finds CROUPIER_EVENT,
    CROUPIER_DETAIL, CROUPIER_COMMAND and CROUPIER_PID in its environment.

    Examples:
      croupier supervise -- croupier up --config shop.toml --data shop.db

      croupier supervise --every 5s --notify 'mail -s "$CROUPIER_EVENT" ops' -- croupier up
    """
    from croupier.core.restarts import Bound
    from croupier.runners.supervise.supervisor import Supervisor
    from croupier.runners.supervise.watch import Rules

    commands = split(command or ["croupier", "up"])
    if url is not None and len(commands) > 1:
        raise typer.BadParameter("--url goes with one command")
    rules = Rules(
        every=ask_duration("--every", every),
        failures=failures,
        timeout=ask_duration("--timeout", timeout),
        patience=ask_duration("--patience", patience),
        stop=ask_duration("--stop", stop),
        bound=Bound(restarts, ask_duration("--within", within), ask_duration("--wait", wait)),
    )
    file = state or state_file(data_of(commands[0]))
    running = Supervisor(commands, rules, file, url=url, notify=notify, as_json=as_json)
    raise typer.Exit(running.run())


def split(words: list[str]) -> list[list[str]]:
    """The commands that `--` parts.

    >>> split(["serve", "--port", "1", "--", "learn"])
    [['serve', '--port', '1'], ['learn']]
    """
    commands: list[list[str]] = [[]]
    for word in words:
        if word == "--":
            commands.append([])
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


def data_of(command: list[str]) -> str:
    """The data file that a command names.

    >>> data_of(["croupier", "up", "--data", "shop.db"]), data_of(["croupier", "up"])
    ('shop.db', 'croupier.db')
    """
    for word, following in zip(command, [*command[1:], ""], strict=True):
        if word in _DATA and following:
            return following
        if word.startswith("--data="):
            return word.removeprefix("--data=")
    return "croupier.db"


def state_file(data: str) -> Path:
    """Where the state of a data file's supervisor stands."""
    from croupier.config.backends import data_file
    from croupier.runners.supervise.state import SUPERVISED

    file = data_file(data)
    return file.with_name(file.name + SUPERVISED)
