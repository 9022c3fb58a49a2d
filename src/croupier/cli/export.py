"""croupier export: everything that is known, as Parquet files for analysts."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from croupier.cli.options import Data, Json
from croupier.cli.where import LogUrl, StatesUrl, is_distributed, open_to_look

if TYPE_CHECKING:
    from croupier.config.backends import Backends
    from croupier.runners.export.days import Files, Span, Written
    from croupier.runners.export.everything import Export


def export(  # noqa: PLR0913 - the command's own options
    data: Data = "croupier.db",
    out: Annotated[Path, typer.Option(help="The folder to write into.")] = Path("export"),
    experiment: Annotated[
        list[str] | None, typer.Option(help="Only this experiment; may be repeated.")
    ] = None,
    since: Annotated[str, typer.Option(help="First UTC day, such as 2026-11-22.")] = "",
    until: Annotated[str, typer.Option(help="UTC day to stop before.")] = "",
    what: Annotated[
        str, typer.Option(help="Which tables, with commas between.")
    ] = "log,observations,states,snapshots,arms",
    log: LogUrl = "",
    states: StatesUrl = "",
    *,
    as_json: Json = False,
) -> None:
    """Write the log, arm states, snapshots and the history of arms as Parquet, a file a UTC day.

    It reads only, and may run beside the server. A file appears when it is whole; exporting a day
    again replaces its files. Where the log was trimmed in the middle of a day, a file of that day
    that is there already is left alone, for it holds more. `--what entries` writes the log itself,
    which `croupier replay --archive` reads where the log was trimmed.

    Examples:
      croupier export --data shop.db --out warehouse

      croupier export --log kafka://10.0.0.5:9092/shop?partitions=8
      --states postgresql://shop@10.0.0.6/shop

      croupier export --data shop.db --out warehouse --since 2026-11-21 --until 2026-11-22

      croupier export --data shop.db --out archive --what entries
    """
    from croupier.config.row_files import open_tables
    from croupier.runners.export.days import Files
    from croupier.runners.export.everything import WHAT

    wanted = [part for part in what.replace(" ", "").split(",") if part]
    if not set(wanted) <= set(WHAT):
        raise typer.BadParameter(f"--what: expected some of {', '.join(WHAT)}, got {what!r}")
    if "entries" in wanted:
        _refuse_a_part(experiment, distributed=is_distributed(data, log))
    try:
        span = _span(since, until)
        tables = open_tables()  # whether pyarrow is there is known before any data are opened
        backends = open_to_look(data, log, states)
        files = Files(out, tables, _progress(quiet=as_json))
        work = _open(backends, files, experiment or [], span)
        written = work.run(wanted)
    except OSError as error:
        raise typer.BadParameter(f"{error.filename or out}: {error.strerror or error}") from error
    _report(out, written, as_json=as_json)


def _refuse_a_part(experiment: list[str] | None, *, distributed: bool) -> None:
    """An archive is of a data file's log, and of all of it."""
    if experiment:
        raise typer.BadParameter("--what entries: an entry holds records of every --experiment")
    if distributed:
        raise typer.BadParameter("--what entries: of a data file only; Kafka keeps its own log")


def _open(backends: "Backends", files: "Files", names: list[str], span: "Span") -> "Export":
    from croupier.config.errors import ConfigError
    from croupier.runners.export.everything import Export

    work = Export(backends, files, names, span)
    if work.unknown:
        raise ConfigError(f"no experiment {', '.join(work.unknown)} was ever declared")
    return work


def _report(out: Path, written: "list[Written]", *, as_json: bool) -> None:
    rows: Counter[str] = Counter()
    for one in written:
        rows[one.sheet] += 0 if one.kept else one.rows
    kept = [str(one.path) for one in written if one.kept]
    if as_json:
        print(json.dumps({"out": str(out), "rows": rows, "files": len(written), "kept": kept}))
        return
    for sheet, count in rows.items():
        print(f"{sheet:14} {count:12,} rows")
    for path in kept:
        print(f"left as it was, the log no longer holds the whole day: {path}")


def _span(since: str, until: str) -> "Span":
    from croupier.runners.export.days import Span, read_day

    try:
        first = read_day(since) if since else Span().since
        last = read_day(until) if until else Span().until
    except ValueError as error:
        raise typer.BadParameter(
            f"--since, --until: expected such as 2026-11-22: {error}"
        ) from None
    if first >= last:
        raise typer.BadParameter("--since must be a day before --until")
    return Span(first, last)


def _progress(*, quiet: bool) -> Callable[[str], None]:
    if quiet or not sys.stderr.isatty():
        return lambda _: None
    return lambda text: print(text, file=sys.stderr, flush=True)
