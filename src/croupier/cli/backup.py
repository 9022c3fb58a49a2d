"""croupier backup and restore: the state of one machine, copied and put back."""

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from croupier.cli.options import DATA, Data, Json

if TYPE_CHECKING:
    from croupier.config.backups import Restored

_LOG = "CROUPIER_LOG"


def backup(
    to: Annotated[Path, typer.Option("--to", help="A new file, or a folder to put it into.")],
    data: Data = "croupier.db",
    *,
    keys: Annotated[
        bool, typer.Option("--keys/--no-keys", help="Copy the keys file, too (mode 0600).")
    ] = True,
    as_json: Json = False,
) -> None:
    """Copy data and keys as of one moment, beside the running server; then check the copy.

    The server goes on as before. A file that exists is never written over.

    Examples:
      croupier backup --to backups/monday.db

      croupier backup --data shop.db --to backups/monday.db --no-keys
    """
    from croupier.config.backups import make_backup

    made = make_backup(_file(data), to, keys=keys, show=_show)
    if as_json:
        size = made.data.stat().st_size
        copied = None if made.keys is None else str(made.keys)
        print(json.dumps({"data": str(made.data), "keys": copied, "bytes": size}))
        return
    print(f"{made.data}: {made.data.stat().st_size / 2**20:.1f} MiB, checked")
    if made.keys is not None:
        print(f"{made.keys}: keep it as secret as the server's own")
    elif keys:
        print("no keys file: keys from the environment are in no backup, keep them yourself")


def restore(
    source: Annotated[Path, typer.Option("--from", help="The backup's data file.")],
    data: Data = "croupier.db",
    *,
    as_json: Json = False,
) -> None:
    """Put a backup in the place of the data file; the server must be stopped.

    The backup is checked first. What stood there is kept, under a name with the time in it.

    Examples:
      croupier restore --from backups/monday.db

      croupier restore --from backups/monday.db --data shop.db
    """
    from croupier.config.backups import restore as put_back

    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    made = put_back(source.absolute(), _file(data), f".before-{now}")
    if as_json:
        there = None if made.keys is None else str(made.keys)
        kept = [str(file) for file in made.aside]
        told = {"keys": there, "keys_restored": made.own, "set_aside": kept}
        print(json.dumps({"data": str(made.data)} | told))
        return
    print(f"{made.data}: restored{_of_keys(made)}")
    for file in made.aside:
        print(f"set aside: {file}")


def _of_keys(made: "Restored") -> str:
    if made.own:
        return ", with its keys"
    if made.keys is not None:
        return "; the backup has no keys: those that were there stay"
    return (
        f", without keys: the backup has none, and there is no {made.data}.keys. Put that file "
        "there before you start the server, unless its keys come from the environment"
    )


def _file(data: str) -> Path:
    """The data file; ConfigError says what to do instead where the URL is of a service."""
    from croupier.config.backends import data_file
    from croupier.config.errors import ConfigError

    forgotten = data == DATA and _LOG in os.environ and not Path(data).exists()
    if forgotten or data.startswith(
        ("kafka://", "postgresql://", "postgres://", "redis://", "rediss://")
    ):
        raise ConfigError(
            "backup and restore are for the data file of `croupier up`. Of a distributed ring back "
            "up PostgreSQL (pg_dump) and the keys; Kafka keeps its topics, Redis needs none: see "
            "docs/howto/back-up-and-restore.md"
        )
    return data_file(data)


def _show(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{done:,} of {total:,} pages copied", end=end, file=sys.stderr, flush=True)
