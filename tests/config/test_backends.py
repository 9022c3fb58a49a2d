"""What a URL may name, and how a file that cannot be used is refused."""

import sqlite3
from pathlib import Path

import pytest

from croupier.config.backends import DataFileError, open_backends
from croupier.config.errors import ConfigError
from croupier.ports import EVENTS


@pytest.mark.parametrize("prefix", ["", "sqlite:///"])
def test_a_path_and_a_sqlite_url_are_the_same_file(tmp_path: Path, prefix: str) -> None:
    backends = open_backends(f"{prefix}{tmp_path}/croupier.db")
    backends.log.append(EVENTS, [b"\x80"]).result()
    backends.close()
    again = open_backends(tmp_path / "croupier.db", read_only=True)
    assert len(again.log.read(EVENTS, {}, 10)) == 1
    again.close()


def test_memory_needs_no_file() -> None:
    backends = open_backends("memory://")
    assert backends.log.append(EVENTS, [b"\x80"]).result() > 0
    backends.close()


@pytest.mark.parametrize("url", ["mysql://host/x", "redis://x", "http://x"])
def test_another_scheme_is_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigError, match=f"data: {url.partition(':')[0]}://…: expected the data"):
        open_backends(url)


def test_a_file_has_one_writer(tmp_path: Path) -> None:
    first = open_backends(tmp_path / "croupier.db")
    with pytest.raises(DataFileError, match="in use by another croupier process"):
        open_backends(tmp_path / "croupier.db")
    open_backends(tmp_path / "croupier.db", read_only=True).close()
    first.close()
    open_backends(tmp_path / "croupier.db").close()


def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    foreign, text = tmp_path / "foreign.db", tmp_path / "text.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    text.write_text("this is no database, whatever its name says")
    for path, reason in ((foreign, "not one of Croupier's"), (text, "not a database")):
        before = path.read_bytes()
        for read_only in (False, True):
            with pytest.raises(DataFileError, match=reason):
                open_backends(path, read_only=read_only)
        assert path.read_bytes() == before


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    open_backends(tmp_path / "croupier.db").close()
    with sqlite3.connect(tmp_path / "croupier.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(DataFileError, match=r"written by a newer Croupier \(schema 99\); upgrade"):
        open_backends(tmp_path / "croupier.db")


def test_a_missing_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="no such data file"):
        open_backends(tmp_path / "croupier.db", read_only=True)
    with pytest.raises(DataFileError, match="No such file or directory"):
        open_backends(tmp_path / "nowhere" / "croupier.db")
