"""croupier candidates: refresh an experiment's arms from its table."""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from croupier.cli.ask import HERE, Key, RefusedError, Server, ask, place
from croupier.cli.options import Json


class Action(StrEnum):
    """What may be done with candidates."""

    REFRESH = "refresh"


def candidates(  # noqa: PLR0913 - the command's own options
    action: Annotated[Action, typer.Argument(help="refresh: read the table now.")],
    experiment: Annotated[str, typer.Argument(help="The name of the experiment.")],
    server: Server = HERE,
    api_key: Key = "",
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the difference, and change nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Believe the table, however many arms it takes away.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the arms of a running experiment be what its table of candidates lists.

    The server does it by itself on the declared schedule. Exit code 2 when nothing was changed
    because the table cannot be read, or is not believed; --json then prints its bad rows, too.

    Examples:
      croupier candidates refresh top-button --dry-run

      croupier candidates refresh top-button
    """
    path = place(server, "experiments", experiment, "candidates", action.value)
    try:
        found = ask(path, api_key, {"dry_run": dry_run, "force": force})
    except RefusedError as error:
        if as_json and "bad_rows" in error.told:
            print(json.dumps(error.told, ensure_ascii=False))
        raise
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    would = "would be " if dry_run else ""
    change = found["change"]
    print(f"{experiment}: {found['rows']} rows, version {found['version']} of the arms")
    for what, names in ((f"{would}put", change["put"]), (f"{would}dropped", change["dropped"])):
        _list(what, names)
    _list("left as somebody set it", change["held"])
    for bad in found["bad_rows"]:
        print(f"  row {bad['row']}: {bad['column']}: {bad['reason']}" + _of(bad))
    if found["outcome"] == "same":
        print("  nothing to change")


def _list(what: str, names: list[str]) -> None:
    for name in names:
        print(f"  {what}: {name}")


def _of(bad: dict[str, Any]) -> str:
    return f" ({bad['arm']} stays as it is)" if bad["arm"] else ""
