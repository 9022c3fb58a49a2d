"""croupier import: past trials and master data of arms, from CSV or Parquet."""

import hashlib
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from croupier.cli.ask import HERE, Key, Server
from croupier.cli.options import Json

if TYPE_CHECKING:
    from croupier.cli.sending import Chunk, Told


class What(StrEnum):
    """What the rows of a file are about."""

    ARMS = "arms"
    REWARDS = "rewards"


def import_(  # noqa: PLR0913 - the command's own options
    what: Annotated[What, typer.Argument(help="Master data of arms, or past trials.")],
    file: Annotated[Path, typer.Argument(help="A CSV or Parquet file.")],
    experiment: Annotated[
        str, typer.Option(help="Where the file has no column `experiment`.")
    ] = "",
    key: Annotated[str, typer.Option(help="Idempotency key; else the digest of the file.")] = "",
    server: Server = HERE,
    by: Annotated[str, typer.Option(help="Who does it, for the history of arms.")] = "cli",
    api_key: Key = "",
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the difference.")] = False,
    as_json: Json = False,
) -> None:
    """Import a file row by row: wrong rows are named, right ones kept; sending again is safe.

    Columns of rewards: arm, n, reward_sum, and where wanted reward_square_sum, at, slot,
    propensity, experiment. Of arms: arm, status (active, paused or removed), experiment. Rows are
    numbered from 1 without the line of names. Exit code 1 when rows were refused (mend them and
    send the file again with the same --key), and when there are none.

    Examples:
      croupier import rewards past.csv --experiment top-button --dry-run

      croupier import arms arms.parquet --key 2026-11-22
    """
    from croupier.cli.sending import Door, Told, chunks
    from croupier.config.row_files import a_file, read_table

    rows = read_table(a_file(file))
    key = key or _digest(file)
    path = ("import",) if what is What.REWARDS else ("arms", "import")
    door, told = Door(server, path, key, by, api_key, dry_run), Told(key)
    for chunk in chunks(rows, experiment, file):
        told.add(chunk, door.send(chunk))
        _show(chunk, quiet=as_json)
    if as_json:
        print(json.dumps(told.answer(dry_run=dry_run), ensure_ascii=False))
    else:
        _report(told, dry_run=dry_run)
    if told.empty:
        print(f"{file}: no rows", file=sys.stderr)
    if told.empty or told.rejected:
        raise typer.Exit(1)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _show(chunk: "Chunk", *, quiet: bool) -> None:
    if chunk.numbers and not quiet and sys.stderr.isatty():
        print(f"\r{chunk.numbers[-1]:,} rows sent", end="", file=sys.stderr, flush=True)


def _report(told: "Told", *, dry_run: bool) -> None:
    for experiment, arms in told.arms.items():
        for arm, change in arms.items():
            print(f"{experiment}  {arm}: {change.text()}")
    verb = "would be accepted" if dry_run else "accepted"
    print(
        f"{told.accepted:,} {verb}, {told.duplicate:,} were there, {len(told.rejected):,} refused"
    )
    for each in told.rejected:
        print(f"row {each['row']}, {each['column'] or 'row'}: {each['reason']}", file=sys.stderr)
    if told.rejected:
        print(f"mend these rows and send the file again with --key {told.key}", file=sys.stderr)
