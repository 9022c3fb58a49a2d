"""croupier key: make an API key, or check one."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from croupier.cli.options import Config, Json


class Task(StrEnum):
    """What to do with keys."""

    NEW = "new"
    CHECK = "check"


class Scope(StrEnum):
    """What a key may do."""

    DECIDE = "decide"
    INGEST = "ingest"
    ADMIN = "admin"


def key(
    task: Annotated[Task, typer.Argument(help="Make a key, or check one.")],
    scope: Annotated[
        list[Scope] | None, typer.Option(help="For new: what it may do; may be repeated.")
    ] = None,
    name: Annotated[str, typer.Option(help="For new: whose key it is.")] = "",
    config: Config = Path("croupier.toml"),
    *,
    as_json: Json = False,
) -> None:
    """Make an API key, which is printed once and stored nowhere; or check one.

    `new` prints the key, and the lines for croupier.toml, which hold its digest only. `check` reads
    a key from CROUPIER_API_KEY or from standard input, and says which one of croupier.toml it is.

    Examples:
      croupier key new --scope decide --name web-backend

      croupier key check < key.txt
    """
    if task is Task.NEW:
        _new([each.value for each in dict.fromkeys(scope or ())], name, as_json=as_json)
    else:
        _check(config, as_json=as_json)


def _new(scopes: list[str], name: str, *, as_json: bool) -> None:
    import secrets

    from croupier.config.access import key_problems
    from croupier.core.api_key import SECRET_BYTES, ApiKey, digest_of, write_key

    if not scopes or not name:
        raise typer.BadParameter("say what it may do and whose it is: --scope decide --name web")
    text = write_key(scopes, secrets.token_bytes(SECRET_BYTES))
    made = ApiKey(name, tuple(scopes), digest_of(text))  # type: ignore[arg-type]
    for problem in key_problems(made):
        raise typer.BadParameter(problem)
    lines = [
        "[[api_key]]",
        f"name = {json.dumps(name)}",
        f"scopes = {json.dumps(scopes)}",
        f'digest = "{made.digest}"',
    ]
    if as_json:
        print(json.dumps({"key": text, "name": name, "scopes": scopes, "digest": made.digest}))
        return
    print(text)
    print("\n# The key is above: it is shown this once. For croupier.toml:\n")
    print("\n".join(lines))


def _check(config: Path, *, as_json: bool) -> None:
    import os
    import time

    from croupier.config.settings import load_settings, with_environment
    from croupier.core.api_key import digest_of

    settings = with_environment(load_settings(config), os.environ)
    text = os.environ.get("CROUPIER_API_KEY") or sys.stdin.readline()
    digest = digest_of(text.strip())
    found = next((each for each in settings.api_keys if each.digest == digest), None)
    over = found is not None and found.expires is not None and found.expires <= time.time() * 1000
    if as_json:
        known = {"name": found.name, "scopes": found.scopes} if found else {}
        print(json.dumps({"ok": bool(found and not over)} | known))
    elif found is None:
        print(f"no [[api_key]] of {config} has this key's digest", file=sys.stderr)
    else:
        only = "" if found.experiments is None else f", only for {', '.join(found.experiments)}"
        print(f"{found.name}: {', '.join(found.scopes)}{only}" + (", has expired" if over else ""))
    if found is None or over:
        raise typer.Exit(1)
