"""The tables: numbered SQL files, each applied once; a newer one is refused."""

from importlib.resources import files
from typing import Any

import psycopg
from psycopg import sql

from croupier.ports import UnusableError


def migrations() -> list[tuple[int, str]]:
    """Every migration: its number and its SQL, in order."""
    folder = files("croupier.adapters.postgres").joinpath("migrations")
    found = sorted((file.name, file.read_text()) for file in folder.iterdir())
    return [(int(name[:4]), text) for name, text in found if name.endswith(".sql")]


def bring_up_to_date(connection: psycopg.Connection[Any], schema: str) -> None:
    """Apply what is missing, within the caller's transaction; UnusableError when it is newer."""
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations "
        "(version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())"
    )
    stands = check(connection, schema)
    for number, text in migrations():
        if number > stands:
            connection.execute(text.encode())
            connection.execute("INSERT INTO migrations (version) VALUES (%s)", (number,))


def check(connection: psycopg.Connection[Any], schema: str) -> int:
    """Which migration the schema stands at; UnusableError when it is not ours or newer than us."""
    table = connection.execute("SELECT to_regclass('migrations')").fetchone()
    if table is None or table[0] is None:
        raise UnusableError(f"postgresql: schema {schema!r} holds no tables of Croupier's")
    found = connection.execute("SELECT coalesce(max(version), 0) FROM migrations").fetchone()
    stands = int(found[0]) if found else 0
    newest = max(number for number, _ in migrations())
    if stands > newest:
        raise UnusableError(
            f"postgresql: schema {schema!r} was written by a newer Croupier "
            f"(migration {stands}, we know {newest}); upgrade"
        )
    return stands
