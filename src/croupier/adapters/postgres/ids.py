"""The ids of what was added, by data time: a table a week, dropped whole."""

from collections.abc import Mapping

from psycopg import sql

from croupier.adapters.postgres.database import Connection
from croupier.core.duration import DAY
from croupier.ports import StaleError

_WEEK = 7 * DAY
_CHILDREN = (
    "SELECT c.relname, "
    "(regexp_match(pg_get_expr(c.relpartbound, c.oid), $$TO \\('(-?\\d+)'\\)$$))[1]::bigint "
    "FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid "
    "WHERE inhparent = 'ids'::regclass"
)


def add_ids(connection: Connection, ids: Mapping[bytes, int]) -> None:
    """Take new ids, each with its data time; StaleError when one is known, whatever its time."""
    if not ids:
        return
    known = connection.execute("SELECT 1 FROM ids WHERE id = ANY(%s) LIMIT 1", (list(ids),))
    if known.fetchone() is not None:
        raise StaleError("some of this was added already")
    there = {until for _, until in connection.execute(_CHILDREN).fetchall()}
    for start in sorted({at // _WEEK * _WEEK for at in ids.values()}):
        if start + _WEEK not in there:
            connection.execute(
                sql.SQL("CREATE TABLE {} PARTITION OF ids FOR VALUES FROM ({}) TO ({})").format(
                    sql.Identifier(f"ids_{start // _WEEK}"), start, start + _WEEK
                )
            )
    with connection.cursor().copy("COPY ids FROM STDIN (FORMAT BINARY)") as rows:
        rows.set_types(["bytea", "int8"])
        for row in ids.items():
            rows.write_row(row)


def drop_ids(connection: Connection, before: int) -> int:
    """Drop the weeks that end at or before this time; how many ids they held."""
    dropped = 0
    for name, until in connection.execute(_CHILDREN).fetchall():
        if until <= before:
            table = sql.Identifier(name)
            count = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone()
            connection.execute(sql.SQL("DROP TABLE {}").format(table))
            dropped += count[0] if count else 0
    return dropped
