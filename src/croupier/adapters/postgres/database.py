"""One connection to one schema: transactions, a lock, a patience that ends."""

import os
import socket
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from croupier.adapters.postgres.schema import bring_up_to_date, check
from croupier.ports import UnavailableError

T = TypeVar("T")
Connection = psycopg.Connection[TupleRow]
Job = Callable[[Connection], T]


class Database:
    """A schema of a PostgreSQL database, brought up to date when opened for writing.

    Raises UnusableError when a newer Croupier has written it. A server that does not answer for
    `patience` seconds is cut off: its own timeouts cannot help when it hangs.
    """

    def __init__(
        self, url: str, schema: str = "croupier", *, read_only: bool = False, patience: float = 30.0
    ) -> None:
        self._url, self._schema, self._patience = url, schema, patience
        self._read_only = read_only
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._names: list[str] = []
        try:
            if read_only:
                self.run(lambda connection: check(connection, schema))
            else:
                self.alone(lambda connection: bring_up_to_date(connection, schema))
        except BaseException:
            self.close()
            raise

    def run(self, job: Job[T]) -> T:
        """Do the job in a transaction of its own.

        UnavailableError when the database could not: nothing is changed, or, if only the answer
        was lost, all of it.
        """
        with self._lock:
            try:
                connection = self._alive()
                watch = threading.Timer(self._patience, _cut_off, [connection])
                watch.start()
                try:
                    with connection.transaction():
                        return job(connection)
                finally:
                    watch.cancel()
            except psycopg.Error as error:
                raise UnavailableError(
                    f"postgresql: {str(error) or type(error).__name__}"
                ) from error

    def alone(self, job: Job[T]) -> T:
        """The same, while nobody else does so in this schema."""

        def locked(connection: Connection) -> T:
            connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
                (f"croupier {self._schema}",),
            )
            return job(connection)

        return self.run(locked)

    def hold(self, names: Collection[str]) -> None:
        """Be the only one in this schema with these names; UnavailableError while another is.

        It ends with the connection; on a new one nothing is done before they are ours again.
        """
        self.close()
        self._names = sorted(names)
        self.run(lambda _: None)

    def rows(self, query: str, values: Any = ()) -> list[tuple[Any, ...]]:
        """All rows of one query."""
        return self.run(lambda connection: connection.execute(query.encode(), values).fetchall())

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _alive(self) -> Connection:
        """The connection, or another where it was lost while nothing was under way."""
        if self._connection is not None and not self._connection.closed:
            with suppress(psycopg.Error):
                self._probe(self._connection)
                return self._connection
            self._connection.close()
        seconds = max(2, int(self._patience))
        connection = psycopg.connect(
            self._url, connect_timeout=seconds, application_name="croupier", autocommit=True
        )
        milliseconds = int(self._patience * 800)  # the server, if it can, gives up before we do
        connection.execute(
            sql.SQL(
                "SET search_path TO {}; SET statement_timeout = {}; SET lock_timeout = {}; "
                "SET idle_in_transaction_session_timeout = {}; SET client_min_messages = warning; "
                "SET default_transaction_read_only = {}; SET tcp_keepalives_idle = 10; "
                "SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
            ).format(sql.Identifier(self._schema), *[milliseconds] * 3, self._read_only)
        )
        self._claim(connection)
        self._connection = connection
        return connection

    def _claim(self, connection: Connection) -> None:
        """Take our names, or none; a holder whose machine is gone is noticed in half a minute."""
        for name in self._names:
            query = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
            taken = connection.execute(query, (f"croupier {self._schema} {name}",)).fetchone()
            if taken is None or not taken[0]:
                connection.close()
                raise UnavailableError(f"another process is {name}: waiting until it ends")

    def _probe(self, connection: Connection) -> None:
        watch = threading.Timer(self._patience, _cut_off, [connection])
        watch.start()
        try:
            connection.execute("SELECT 1")
        finally:
            watch.cancel()


def _cut_off(connection: Connection) -> None:
    """End the connection under whoever waits for it; they get an OperationalError."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as one:
        one.shutdown(socket.SHUT_RDWR)
