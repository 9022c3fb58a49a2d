"""The contract of tables, over every technology: the rows, or a reason."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from croupier.adapters.tables import AddressTable, DatabaseTable, FileTable
from croupier.ports import Table, UnavailableError

Rows = list[dict[str, str]]
Make = Callable[[Rows | None], Table]
ROWS: Rows = [{"arm": "x", "note": 'a "b", c'}, {"arm": "größer", "note": ""}]
KINDS = ("csv", "json", "sqlite", "query", "http")


def csv_of(rows: Rows) -> str:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    lines = [",".join(map(quoted, row.values())) for row in [{"arm": "arm", "note": "note"}, *rows]]
    return "\ufeff" + "\r\n".join(lines) + "\n"


class Door(BaseHTTPRequestHandler):
    """Answers what the test wants it to."""

    body: bytes = b""
    status, kind = 200, "text/csv"

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("content-type", self.kind)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def door() -> Iterator[tuple[type[Door], str]]:
    class Mine(Door):
        pass

    server = HTTPServer(("127.0.0.1", 0), Mine)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Mine, f"http://127.0.0.1:{server.server_port}/arms"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, tmp_path: Path, door: tuple[type[Door], str]) -> Make:
    """A table with these rows; None: it is not there."""
    served, url = door

    def file(rows: Rows | None) -> Table:
        path = tmp_path / f"arms.{request.param}"
        if rows is not None:
            text = csv_of(rows) if request.param == "csv" else json.dumps(rows)
            path.write_text(text, encoding="utf-8", newline="")
        return FileTable(path)

    def database(rows: Rows | None) -> Table:
        path = tmp_path / "shop.db"
        if rows is not None:
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute('CREATE TABLE "the arms" (arm TEXT, note TEXT)')
                connection.executemany('INSERT INTO "the arms" VALUES (:arm, :note)', rows)
        if request.param == "query":
            return DatabaseTable(path, query='SELECT arm, note FROM "the arms"')
        return DatabaseTable(path, table="the arms")

    def address(rows: Rows | None) -> Table:
        served.status, served.body = 404 if rows is None else 200, csv_of(rows or []).encode()
        return AddressTable(url)

    kinds = {"sqlite": database, "query": database, "http": address}
    return kinds.get(request.param, file)


def test_the_rows_are_what_is_there(make: Make) -> None:
    assert make(ROWS).rows() == ROWS


def test_no_rows_are_no_rows(make: Make) -> None:
    assert make([]).rows() == []


def test_what_is_not_there_is_told(make: Make) -> None:
    with pytest.raises(UnavailableError, match=r"arms|shop\.db"):
        make(None).rows()


@pytest.mark.parametrize(
    ("kind", "body", "rows"),
    [
        ("application/json", b'[{"arm": "x"}]', [{"arm": "x"}]),
        ("application/json", b'["x", 7]', [{"arm": "x"}, {"arm": 7}]),
        ("text/plain", b' [{"arm": "x"}]', [{"arm": "x"}]),
        ("text/plain", b"arm\nx\n", [{"arm": "x"}]),
        ("application/json", b'{"arm": "x"}', "expected a JSON array"),
        ("application/json", b"[", "Expecting value"),
        ("text/csv", b"\xff\xfe", "decode"),
        ("text/csv", b'arm\n"x\n', "unexpected end of data"),
        ("text/csv", b"arm,on,arm\nx,1,y\n", "2 columns are named 'arm'"),
    ],
)
def test_an_answer_is_read_as_what_it_is(
    door: tuple[type[Door], str], kind: str, body: bytes, rows: list[Mapping[str, object]] | str
) -> None:
    served, url = door
    served.kind, served.body = kind, body
    if isinstance(rows, str):
        with pytest.raises(UnavailableError, match=rows):
            AddressTable(url).rows()
    else:
        assert AddressTable(url).rows() == rows


def test_a_database_is_only_read(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE arms (arm TEXT)")
    with pytest.raises(UnavailableError, match="readonly"):
        DatabaseTable(tmp_path / "shop.db", query="DELETE FROM arms RETURNING arm").rows()
