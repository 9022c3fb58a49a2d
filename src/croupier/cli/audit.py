"""croupier audit: who changed what, when, from what to what."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from croupier.cli.ask import HERE, Key, Server, ask, place
from croupier.cli.options import Json


def audit(
    server: Server = HERE,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many, newest first.")] = 50,
    api_key: Key = "",
    *,
    as_json: Json = False,
) -> None:
    """List the changes of declarations and arms, the newest first: who, when, before and after.

    Needs a key with the scope admin, where the server has keys. `by` is the key's name.

    Examples:
      croupier audit

      croupier audit --limit 5 --json
    """
    changes = ask(place(server, "audit", limit=limit), api_key)
    if as_json:
        print(json.dumps({"changes": changes}, ensure_ascii=False))
        return
    for each in changes:
        at = datetime.fromtimestamp(each["at"] / 1000, UTC).isoformat(" ", "seconds")
        note = f" ({each['note']})" if each["note"] else ""
        print(f"{at}  {each['by']}{note}  {each['experiment']}: {each['change']}")
        for key, now in each["after"].items():
            before, after = (json.dumps(part) for part in (each["before"][key], now))
            print(f"    {key}: {before} → {after}")
