"""croupier arms: look at an experiment's arms, and change them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from croupier.cli.ask import HERE, Key, Server, ask, place
from croupier.cli.options import Json


class Change(StrEnum):
    """What may be done to an arm."""

    LIST = "list"
    HISTORY = "history"
    PUT = "put"
    PAUSE = "pause"
    RESUME = "resume"
    REMOVE = "remove"
    PIN = "pin"
    UNPIN = "unpin"


def arms(  # noqa: PLR0913 - the command's own options
    experiment: Annotated[str, typer.Argument(help="The name of the experiment.")],
    change: Annotated[Change, typer.Argument(help="What to do.")] = Change.LIST,
    arm: Annotated[str, typer.Argument(help="The arm that it is done to.")] = "",
    server: Server = HERE,
    until: Annotated[
        str | None, typer.Option(help='How long a pin holds, such as "2h"; else until unpinned.')
    ] = None,
    group: Annotated[
        str | None, typer.Option(help='The group that a put arm is of; "" for none.')
    ] = None,
    by: Annotated[str, typer.Option(help="Who does it, for the history.")] = "cli",
    api_key: Key = "",
    *,
    as_json: Json = False,
) -> None:
    """Put, pause, resume, remove, pin or unpin an arm of a running experiment.

    A new arm starts from the prior; a paused or removed one is not drawn from the next snapshot on,
    but what was shown of it still counts, and a returning arm keeps its past.

    Examples:
      croupier arms top-button

      croupier arms top-button put start-now

      croupier arms front-page put world-cup --group sport

      croupier arms top-button pin install --until 2h --by ana
    """
    _refuse_idle(change, arm, until, group)
    path = place(server, "experiments", experiment, "arms")
    if change in (Change.LIST, Change.HISTORY):
        pages = ask(path, api_key)
        pages = pages if change is Change.HISTORY else pages[-1:]
    else:
        wanted = {"change": change.value, "arm": arm, "by": by}
        wanted |= {} if until is None else {"until": until}
        pages = [ask(path, api_key, wanted if group is None else wanted | {"group": group})]
    if as_json:
        print(json.dumps(pages[-1] if change is not Change.HISTORY else {"history": pages}))
        return
    for page, before in zip(pages, [{}, *pages], strict=False):
        print(_line(page, before))
        for each in page["arms"] if page is pages[-1] else ():
            mark = "pinned" if each["name"] == page["pinned"] else each.get("status", "active")
            group = f" ({each['group']})" if each.get("group") else ""
            print(f"  {each['number']:3} {mark:8} {each['name']}{group}")


def _refuse_idle(change: Change, arm: str, until: str | None, group: str | None) -> None:
    """What would be ignored was meant for something; the server refuses the rest."""
    if arm and change in (Change.LIST, Change.HISTORY):
        raise typer.BadParameter(f"{change.value} takes no arm: it tells of all; got {arm!r}")
    if arm and change is Change.UNPIN:
        raise typer.BadParameter(f"unpin takes no arm: it ends the pin that there is; got {arm!r}")
    if until is not None and change is not Change.PIN:
        raise typer.BadParameter("--until goes with pin")
    if group is not None and change is not Change.PUT:
        raise typer.BadParameter("--group goes with put")


def _line(page: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """One version of the arms: when, what, by whom; of a pin that is new, until when."""
    who = page["by"] + (f", who said {page['note']}" if page["note"] else "")
    told = f"{_time(page['at'])}  version {page['version']}: {page['change']} (by {who})"
    pinned = page["pinned"], page["pinned_until"]
    if page["pinned"] is None or pinned == (before.get("pinned"), before.get("pinned_until")):
        return told
    end = f"until {_time(pinned[1])}" if pinned[1] else "until it is unpinned"
    return f"{told}, {pinned[0]} is pinned {end}"


def _time(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(" ", "seconds")
