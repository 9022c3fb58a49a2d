"""SQLite's own promises: group commit, one writer, files that are not ours, full disks, kill -9."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from croupier.adapters.sqlite import DataFileError, SqliteLog, SqliteSnapshots, SqliteState, Writer
from croupier.adapters.sqlite.file import Reader
from croupier.clock import Clock
from croupier.core import codec
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.records import Tick
from croupier.ports import EVENTS, OBSERVATIONS, Commit, UnavailableError
from tests.adapters.backends import START
from tests.laws.streams import HandClock

TICK = codec.encode(Tick())
PADDING = codec.encode(Tick(extra={"padding": bytes(200_000)}))
KEY = StateKey("b", 0, 0, 1, "policy", 0)
ONE = Commit(positions={0: 1}, watermark=START, sums={KEY: Sums.of(1, 1.0)})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "croupier.db"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    one = Writer(path, HandClock(START))
    yield one
    one.close()


def count(log: SqliteLog, topic: str = EVENTS) -> int:
    return len(log.read(topic, {}, 1_000_000))


def held_up(writer: Writer) -> threading.Event:
    """A job that is being done until the event is set; what is submitted meanwhile gathers."""
    started, hold = threading.Event(), threading.Event()

    def wait(*_: object) -> None:
        started.set()
        hold.wait(30)

    writer.submit(wait)
    assert started.wait(30)
    return hold


# --- groups ---------------------------------------------------------------------------------------


def test_many_threads_append_and_nothing_is_lost_or_doubled(writer: Writer) -> None:
    log, stamps = SqliteLog(writer), list[int]()

    def append(thread: int) -> None:
        futures = [
            log.append(EVENTS, [codec.encode(Tick(extra={"number": thread * 1000 + number}))])
            for number in range(100)
        ]
        stamps.extend(future.result(30) for future in futures)

    threads = [threading.Thread(target=append, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = codec.decode_all(entry.payload for entry in log.read(EVENTS, {}, 10_000))
    numbers = [record.extra["number"] for record in records]
    assert sorted(numbers) == [
        thread * 1000 + number for thread in range(8) for number in range(100)
    ]
    for author in range(8):
        mine = [number for number in numbers if number // 1000 == author]
        assert mine == sorted(mine)
    assert len(stamps) == 800


def test_what_waits_for_the_disk_shares_a_commit(writer: Writer) -> None:
    """While one job holds the writer, others gather; then they are one transaction, one stamp."""
    log, hold = SqliteLog(writer), held_up(writer)
    futures = [log.append(EVENTS, [TICK]) for _ in range(50)]
    assert isinstance(writer.clock, HandClock)
    writer.clock.wall += 5
    assert not any(future.done() for future in futures)
    hold.set()
    assert {future.result(30) for future in futures} == {START + 5}


def test_one_bad_job_harms_no_other(writer: Writer) -> None:
    log, states = SqliteLog(writer), SqliteState(writer)

    def bad(connection: sqlite3.Connection, stamp: int) -> None:
        connection.execute("DELETE FROM log_events")
        raise ValueError("bad job")

    def worse(connection: sqlite3.Connection, stamp: int) -> None:
        connection.execute("INSERT INTO log_events (stamp) VALUES (1)")

    log.append(EVENTS, [TICK]).result(10)
    hold = held_up(writer)
    before = log.append(EVENTS, [TICK])
    failing, refused = writer.submit(bad), writer.submit(worse)
    after = log.append(EVENTS, [TICK])
    hold.set()
    assert before.result(10) <= after.result(10)
    with pytest.raises(ValueError, match="bad job"):
        failing.result(10)
    with pytest.raises(UnavailableError, match="NOT NULL"):
        refused.result(10)
    assert count(log) == 3
    states.commit(ONE)
    assert states.load().sums == ONE.sums


def test_a_job_that_was_cancelled_is_not_done(writer: Writer) -> None:
    log, hold = SqliteLog(writer), held_up(writer)
    cancelled, kept = log.append(EVENTS, [TICK]), log.append(EVENTS, [TICK])
    assert cancelled.cancel()
    hold.set()
    kept.result(10)
    assert count(log) == 1


def test_a_reader_never_sees_half_of_a_commit(writer: Writer) -> None:
    """Sums, position and output of each commit are there together, or not yet."""
    states, log, halves, done = SqliteState(writer), SqliteLog(writer), list[object](), list[bool]()

    def watch() -> None:
        while not done:
            standing = states.load()
            n = standing.sums.get(KEY, Sums()).n
            if standing.positions.get(0, 0) != n or count(log, OBSERVATIONS) < n:
                halves.append(standing)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(1, 40):
        states.commit(
            Commit(
                positions={0: number},
                watermark=number,
                sums={KEY: Sums.of(1, 1.0)},
                output={OBSERVATIONS: [TICK]},
            )
        )
    done.append(True)
    watcher.join()
    assert halves == []


# --- closing --------------------------------------------------------------------------------------


def test_closing_commits_what_was_submitted(path: Path) -> None:
    writer = Writer(path, HandClock(START))
    futures = [SqliteLog(writer).append(EVENTS, [TICK]) for _ in range(20)]
    writer.close()
    writer.close()
    assert all(future.done() for future in futures)
    again = Writer(path, HandClock(START))
    assert count(SqliteLog(again)) == 20
    again.close()


def test_a_closed_file_is_unavailable(path: Path) -> None:
    writer = Writer(path, HandClock(START))
    writer.close()
    with pytest.raises(UnavailableError, match="closed"):
        SqliteLog(writer).append(EVENTS, [TICK]).result(1)
    with pytest.raises(UnavailableError, match="closed"):
        SqliteState(writer).commit(ONE)


def test_a_writer_is_durable_at_every_commit(writer: Writer) -> None:
    def asked(connection: sqlite3.Connection, _: int) -> list[object]:
        pragmas = ("journal_mode", "synchronous")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]

    assert writer.submit(asked).result(10) == ["wal", 2]


# --- whose file it is -----------------------------------------------------------------------------


def test_a_second_writer_is_refused(path: Path, writer: Writer) -> None:
    with pytest.raises(DataFileError, match="in use by another"):
        Writer(path, HandClock(START))
    SqliteLog(writer).append(EVENTS, [TICK]).result(10)


def test_a_second_process_is_refused(path: Path, writer: Writer) -> None:
    code = (
        "import sys; from croupier.adapters.sqlite import Writer;"
        "from croupier.clock import Clock; Writer(sys.argv[1], Clock())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=False
    )
    assert "DataFileError" in ended.stderr
    assert "in use by another croupier process" in ended.stderr


def test_a_second_process_by_another_name_is_refused_too(path: Path, writer: Writer) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    with pytest.raises(DataFileError, match="in use by another croupier process"):
        Writer(link, Clock())


def test_the_file_is_free_again_after_a_writer_was_refused(path: Path) -> None:
    path.write_bytes(b"garbage" * 1000)
    with pytest.raises(DataFileError):
        Writer(path, HandClock(START))
    path.unlink()
    Writer(path, HandClock(START)).close()
    Writer(path, HandClock(START)).close()


def foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE log_events (precious TEXT)")
    connection.execute("INSERT INTO log_events VALUES ('do not touch')")
    connection.commit()
    connection.close()


def newer(path: Path) -> None:
    Writer(path, HandClock(START)).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "foreign": (foreign, "not one of Croupier's"),
    "garbage": (lambda path: path.write_bytes(bytes(range(256)) * 64), "not a database"),
    "newer": (newer, "newer Croupier"),
    "folder": (Path.mkdir, "unable to open"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_file_that_cannot_be_used_is_refused_and_not_touched(path: Path, kind: str) -> None:
    spoil, says = UNUSABLE[kind]
    spoil(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(DataFileError, match=says):
        Writer(path, HandClock(START))
    with pytest.raises((DataFileError, sqlite3.OperationalError)):
        Reader(path)
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_reader_of_a_folder_is_told_so_too(path: Path) -> None:
    path.mkdir()
    with pytest.raises(DataFileError):
        Reader(path)


def test_a_path_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="No such file"):
        Writer(tmp_path / "missing" / "croupier.db", HandClock(START))
    with pytest.raises(DataFileError, match="no such data file"):
        Reader(tmp_path / "croupier.db")


def test_a_reader_cannot_write(path: Path, writer: Writer) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        Reader(path).reader().execute("DELETE FROM log_events")


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    odd = tmp_path / "a b%20?#é.db"
    writer = Writer(odd, HandClock(START))
    SqliteLog(writer).append(EVENTS, [TICK]).result(10)
    assert count(SqliteLog(writer)) == 1
    writer.close()
    assert odd.exists()


# --- a full disk ----------------------------------------------------------------------------------


def limit(writer: Writer, pages: int) -> None:
    """The disk, as it were, holds so many pages more."""

    def set_limit(connection: sqlite3.Connection, _: int) -> None:
        used = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {used + pages}")

    writer.submit(set_limit).result(10)


def test_a_full_disk_is_unavailable_and_then_works_again(writer: Writer) -> None:
    log, states, cache = SqliteLog(writer), SqliteState(writer), SqliteSnapshots(writer)
    states.commit(ONE)
    limit(writer, 3)
    with pytest.raises(UnavailableError, match="full"):
        log.append(EVENTS, [PADDING]).result(10)
    with pytest.raises(UnavailableError, match="full"):
        states.commit(
            Commit(
                positions={0: 9},
                watermark=START + 9,
                sums={KEY: Sums.of(1, 1.0)},
                output={OBSERVATIONS: [PADDING]},
            )
        )
    assert (states.load().positions, states.load().sums) == ({0: 1}, ONE.sums)
    assert count(log) == count(log, OBSERVATIONS) == 0
    assert cache.latest("b") is None
    log.append(EVENTS, [TICK]).result(10)
    limit(writer, 1_000_000)
    log.append(EVENTS, [PADDING]).result(10)
    states.commit(ONE)
    assert count(log) == 2
    assert states.load().sums[KEY].n == 2


def test_a_small_record_is_kept_though_a_large_one_beside_it_finds_no_room(writer: Writer) -> None:
    log = SqliteLog(writer)
    limit(writer, 3)
    hold = held_up(writer)
    small, large, last = (log.append(EVENTS, [one]) for one in (TICK, PADDING, TICK))
    hold.set()
    assert small.result(10) == last.result(10) == START
    with pytest.raises(UnavailableError):
        large.result(10)


# --- kill -9 --------------------------------------------------------------------------------------

MURDER = """
import os, signal, sys
from croupier.adapters.sqlite import SqliteLog, SqliteState, Writer
from croupier.clock import Clock
from croupier.core import codec
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.records import Tick
from croupier.ports import EVENTS, OBSERVATIONS, Commit
writer = Writer(sys.argv[1], Clock())
log, states = SqliteLog(writer), SqliteState(writer)
record = codec.encode(Tick(extra={"padding": bytes(5_000)}))
for number in range(1, 8):
    log.append(EVENTS, [record]).result()
    states.commit(Commit(
        positions={0: number}, watermark=number, output={OBSERVATIONS: [record]},
        sums={StateKey("b", 0, 0, 1, "policy", 0): Sums.of(1, 1.0)},
    ))
    print(number, flush=True)
def die(connection, stamp):
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("UPDATE positions SET position = 99")
    for _ in range(50):
        connection.execute("INSERT INTO log_events (stamp, payload) VALUES (?, ?)", (stamp, record))
    connection.execute("DELETE FROM sums")
    print("dying", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
writer.submit(die).result()
"""


def test_kill_9_in_the_middle_of_a_transaction_loses_nothing_acknowledged(path: Path) -> None:
    """The dying transaction has already spilled into the write-ahead log."""
    ended = subprocess.run(
        [sys.executable, "-c", MURDER, path], capture_output=True, text=True, check=False
    )
    assert ended.returncode == -9, ended.stderr
    assert ended.stdout.split() == [*"1234567", "dying"]
    writer = Writer(path, HandClock(START))
    log, standing = SqliteLog(writer), SqliteState(writer).load()
    assert (count(log), count(log, OBSERVATIONS)) == (7, 7)
    assert (standing.positions, standing.watermark) == ({0: 7}, 7)
    assert standing.sums[KEY].n == 7
    assert log.append(EVENTS, [TICK]).result(10) >= log.read(EVENTS, {}, 1)[0].stamp
    writer.close()


# --- a newer Croupier was here --------------------------------------------------------------------


def test_a_snapshot_of_a_newer_croupier_is_refused_loudly_or_read(writer: Writer) -> None:
    """After a rollback: fields that were added are kept, a newer version is refused by name."""
    import msgspec

    from tests.adapters.test_snapshot_cache import snapshot

    cache = SqliteSnapshots(writer)
    cache.put(snapshot(1))

    def rewrite(more: dict[str, object]) -> None:
        fields = msgspec.msgpack.decode(msgspec.msgpack.encode(snapshot(1))) | more
        payload = msgspec.msgpack.encode(fields)
        writer.submit(
            lambda connection, _: connection.execute("UPDATE snapshots SET payload = ?", (payload,))
        ).result(10)

    rewrite({"colour": "red"})
    latest = cache.latest("b")
    assert latest is not None
    assert latest.extra == {"colour": "red"}
    rewrite({"v": 2})
    with pytest.raises(codec.UnreadableRecordError, match="version 2"):
        cache.latest("b")
