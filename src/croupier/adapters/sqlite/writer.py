"""The one connection that writes: group commit, one fsync for many jobs."""

import fcntl
import os
import queue
import sqlite3
import threading
from concurrent.futures import Future
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

from croupier.adapters.sqlite.file import (
    APPLICATION,
    LATER,
    DataFileError,
    Job,
    Reader,
    T,
    check,
)
from croupier.clock import Clock
from croupier.ports import TOPICS, UnavailableError

_MOST_JOBS = 4_096


class Writer(Reader):
    """Owns the data file: creates or checks it, locks out other writers, commits jobs in groups.

    A commit is durable when its futures are done (WAL, synchronous = FULL). When a group fails,
    each of its jobs is tried alone, so that one bad job harms no other.
    """

    def __init__(self, path: str | Path, clock: Clock) -> None:
        self.clock = clock
        path = Path(path).resolve()
        self._lock = lock_file(path)
        self._jobs: queue.SimpleQueue[tuple[Job[Any], Future[Any]] | None] = queue.SimpleQueue()
        try:
            self._connection = _open_for_writing(path)
            super().__init__(path)
            clock.reach(_last_stamp(self._connection))
        except BaseException:
            self._lock.close()
            raise
        self._thread = threading.Thread(target=self._run, name="croupier-writer", daemon=True)
        self._gate = threading.Lock()
        self._closed = False
        self._thread.start()

    def submit(self, job: Job[T]) -> "Future[T]":
        """Do the job in the next transaction; the future is done when it is durable.

        Its exception is UnavailableError when SQLite refused, for example on a full disk.
        """
        future: Future[T] = Future()
        with self._gate:
            if not self._closed:
                self._jobs.put((job, future))
                return future
        future.set_exception(UnavailableError("the data file is closed"))
        return future

    def close(self) -> None:
        """Commit what was submitted, then let go of the file."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()
        with suppress(sqlite3.Error):  # what is in the write-ahead log is durable there, too
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()
        self._lock.close()

    def _run(self) -> None:
        while True:
            group = [self._jobs.get()]
            while len(group) < _MOST_JOBS and not self._jobs.empty():
                group.append(self._jobs.get())
            jobs = [one for one in group if one and one[1].set_running_or_notify_cancel()]
            if jobs and not self._commit(jobs) and len(jobs) > 1:
                for one in jobs:
                    self._commit([one])
            if None in group:
                return

    def _commit(self, jobs: list[tuple[Job[Any], Future[Any]]]) -> bool:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            stamp = self.clock.now()
            results = [job(self._connection, stamp) for job, _ in jobs]
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it was goes to whoever waits for it
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if len(jobs) == 1:
                refusal = UnavailableError(f"{self.path}: {error}")
                refusal.__cause__ = error
                jobs[0][1].set_exception(refusal if isinstance(error, sqlite3.Error) else error)
            return False
        for (_, future), result in zip(jobs, results, strict=True):
            future.set_result(result)
        return True


def _open_for_writing(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            path, isolation_level=None, timeout=30, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise DataFileError(f"{path}: {error}") from error
    try:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            schema = files("croupier.adapters.sqlite").joinpath("schema.sql").read_text()
            connection.executescript(
                f"BEGIN; {schema} PRAGMA application_id = {APPLICATION};"
                "PRAGMA user_version = 1; COMMIT;"
            )
        check(connection, path)
        _bring_up_to_date(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_size_limit = 67108864")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise DataFileError(f"{path}: {error}") from error
    return connection


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for later, sql in LATER.items():
        if version < later:
            connection.executescript(f"BEGIN; {sql} PRAGMA user_version = {later}; COMMIT;")


def lock_file(path: Path) -> Any:
    """Hold a data file until the answer is closed; DataFileError while another process does."""
    try:
        handle = path.with_name(path.name + ".lock").open("a")
    except OSError as error:
        raise DataFileError(f"{path}: {error.strerror or error}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held = os.fstat(handle.fileno()).st_ino == Path(handle.name).stat().st_ino
    except OSError as error:
        handle.close()
        raise DataFileError(f"{path}: in use by another croupier process") from error
    if not held:
        handle.close()
        raise DataFileError(f"{path}: its lock file was taken away just now; start again")
    return handle


def _last_stamp(connection: sqlite3.Connection) -> int:
    newest = " UNION ALL ".join(
        f"SELECT max(stamp) AS s FROM log_{topic}"  # noqa: S608 - our own table names
        for topic in TOPICS
    )
    stamp = connection.execute(f"SELECT max(s) FROM ({newest})").fetchone()[0]  # noqa: S608
    return int(stamp or 0)
