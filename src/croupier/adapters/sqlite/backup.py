"""A copy of a data file of one moment, made beside the ring, and its return."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from croupier.adapters.sqlite.file import DataFileError, open_for_reading
from croupier.adapters.sqlite.writer import lock_file

_PAGES = 4_096
BESIDE = ("-wal", "-shm", ".open")
"""What stands beside a data file and belongs to its present content only."""


def back_up(data: Path, target: Path, show: Callable[[int, int], None]) -> None:
    """Copy a data file that a ring may be writing to; `target` appears whole, checked and synced.

    One read transaction pins the moment: the ring goes on writing, and the copy does not see it.
    `show` is told pages done and pages in all. DataFileError when it cannot be; nothing is left.

    Source: SQLite's online backup API.
    """
    if target.exists():
        raise DataFileError(f"{target}: exists already; name another file")
    draft = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with closing(open_for_reading(data)) as source, closing(sqlite3.connect(draft)) as copy:
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
            source.backup(
                copy, pages=_PAGES, progress=lambda _, left, total: show(total - left, total)
            )
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without another beside it
        verify(draft)
        _sync(draft)
        os.link(draft, target)  # never over a file that came meanwhile
        _sync(target.parent)
    except sqlite3.Error as error:
        raise DataFileError(f"{data} → {target}: {error}") from error
    except OSError as error:
        raise DataFileError(f"{target}: {error.strerror or error}") from error
    finally:
        for left in (draft, draft.with_name(draft.name + "-journal")):
            left.unlink(missing_ok=True)


def verify(data: Path, *, quick: bool = False) -> None:
    """DataFileError unless the file is ours, of a version that we know, and sound in every page.

    `quick` does not compare indexes with their tables, which takes long in a large file.
    """
    pragma = "quick_check" if quick else "integrity_check"
    try:
        with closing(open_for_reading(data)) as connection:
            answer = connection.execute(f"PRAGMA {pragma}(1)").fetchone()[0]
    except sqlite3.Error as error:
        answer = str(error)
    if answer != "ok":
        raise DataFileError(f"{data}: {answer}")


def put_in_place(backup: Path, data: Path, aside: str) -> list[Path]:
    """Make `data` what `backup` is; what stood there is kept, usable, as `data` + `aside`.

    The backup is checked first. DataFileError when it is not sound, or while a process holds the
    data file. The files that were set aside.
    """
    verify(backup)
    draft = data.with_name(f"{data.name}.{os.getpid()}.part")
    with lock_file(data):
        try:
            draft.write_bytes(b"")
            with closing(open_for_reading(backup)) as source, closing(sqlite3.connect(draft)) as to:
                source.backup(to)
            _sync(draft)
            moved = [
                file.rename(data.with_name(f"{data.name}{aside}{each}"))
                for each in ("", *BESIDE)
                if (file := data.with_name(data.name + each)).exists()
            ]
            draft.rename(data)
            _sync(data.parent)
        except (OSError, sqlite3.Error) as error:
            reason = getattr(error, "strerror", None) or error
            raise DataFileError(f"{data}: {reason}") from error
        finally:
            draft.unlink(missing_ok=True)
    return moved


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
