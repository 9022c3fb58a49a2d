"""`[experiment.candidates]` → what is declared, and the table that it names."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from croupier.adapters.tables import AddressTable, DatabaseTable, FileTable
from croupier.config.errors import ConfigError
from croupier.config.fields import usable_fields
from croupier.core.candidates.declared import Candidates, Columns
from croupier.ports import Table

_SQLITE = "sqlite:///"
_EXPECTED = (
    'expected a CSV or JSON file, "sqlite:///file?table=name", "sqlite:///file?query=SELECT…", '
    "or an http(s) address"
)


def read_candidates(table: Any, where: str, problems: list[str]) -> Candidates | None:
    """The declaration; every problem is named, and what is unusable left at its default."""
    if not isinstance(table, dict):
        problems.append(f'{where}: candidates: expected a table such as {{ source = "arms.csv" }}')
        return None
    table, before = dict(table), len(problems)
    columns = table.pop("columns", {})
    values = usable_fields(table, Candidates, f"{where}: candidates", problems, beside=("columns",))
    if isinstance(columns, dict):
        fields = usable_fields(columns, Columns, f"{where}: candidates.columns", problems)
        values["columns"] = Columns(**fields)
    else:
        problems.append(f'{where}: candidates.columns: expected such as {{ arm = "name" }}')
    if len(problems) > before:
        return None
    try:
        open_table(values["source"], Path())
    except ConfigError as error:
        problems.append(f"{where}: candidates.source: {error}")
    return Candidates(**values)


def open_table(source: str, folder: Path) -> Table:
    """The table that a source names, files from `folder` on; ConfigError says what is wrong.

    >>> type(open_table("sqlite:///shop.db?table=arms", Path())).__name__
    'DatabaseTable'
    """
    if source.startswith(("http://", "https://")):
        return _address(source)
    if source.startswith(_SQLITE):
        return _database(source, folder)
    if "://" in source or not source.strip():
        raise ConfigError(f"{_EXPECTED}, got {source!r}")
    return FileTable(folder / source)


def _address(source: str) -> Table:
    try:
        parts = urlsplit(source)
        named, secret = bool(parts.hostname) and parts.port != 0, parts.username or parts.password
    except ValueError:
        named, secret = False, None
    if not named:
        raise ConfigError(f"{_EXPECTED}, got {source!r}")
    if secret:
        raise ConfigError("no password in the address: what is declared is kept on the log")
    return AddressTable(source)


def _database(source: str, folder: Path) -> Table:
    path, _, query = source.removeprefix(_SQLITE).partition("?")
    told = {key: values[-1] for key, values in parse_qs(query).items()}
    if not path or len(told) != 1 or not told.keys() <= {"table", "query"}:
        raise ConfigError(f"{_EXPECTED}, got {source!r}")
    return DatabaseTable(folder / path, **told)
