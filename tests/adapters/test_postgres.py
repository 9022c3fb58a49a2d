"""PostgreSQL's own promises: history, scopes, weeks of ids, migrations, a bad server."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from croupier.adapters.postgres import ArmNames, Database, PostgresState
from croupier.adapters.postgres.schema import migrations
from croupier.core import codec
from croupier.core.arms.sums import Sums
from croupier.core.records import Arm, ArmSet
from croupier.ports import Commit, StaleError, UnavailableError, UnusableError
from tests.adapters.backends import START, postgres, unique
from tests.adapters.test_state_store import FULL, HUGE, TICK, key, plain
from tests.services.fixtures import URLS, Running, provide
from tests.services.servers import Postgres
from tests.services.service import ROOT, Service, free_port, wait_for

pytestmark = pytest.mark.services


@pytest.fixture
def database(running: Running, tmp_path: Path) -> Iterator[Database]:
    provide(Postgres, running)
    one = postgres(tmp_path)
    yield one
    one.close()


def commit(number: int, *, since: int | None = None) -> Commit:
    return Commit(
        positions={0: number},
        watermark=START + number,
        since=None if since is None else {0: since} if since else {},
        sums={key(): Sums.of(number, 0.5)},
        counts={("b", "observations"): 1},
        ids={b"%d" % number: START},
    )


# --- for whoever looks in ------------------------------------------------------------------------


def test_arms_have_names_and_totals_in_units_of_reward(database: Database) -> None:
    """Over slots and periods; told again, and changed, they are one row each."""
    states, names = PostgresState(database), ArmNames(database)
    states.commit(Commit({0: 1}, START, sums={key(): Sums.of(1_000_000, 0.5)}))
    states.commit(Commit({0: 2}, START, sums={key(period=7): Sums.of(0, 0.5), key(arm=1): Sums()}))
    for status in ("active", "paused"):
        arms = (Arm(0, "x"), Arm(1, "無料", status))
        one = codec.encode(ArmSet(experiment="b", version=1, at=0, arms=arms))
        names.declare({"b": codec.join([one])})
        names.declare({"b": codec.join([one])})
        assert database.rows("SELECT * FROM arms ORDER BY arm") == [
            ("b", 0, "x", "active"), ("b", 1, "無料", status),
        ]  # fmt: skip
    rows = database.rows("SELECT name, n, reward_sum, mean FROM arm_totals WHERE n > 0")
    assert rows == [("x", 2, 1, 0.5)]


def test_totals_keep_strata_apart(database: Database) -> None:
    """A trial whose guardrail was measured, and its delay, is in three strata."""
    strata = ("delay.00", "policy", "policy:unsubscribe:12345678")
    sums = {key()._replace(stratum=stratum): Sums.of(1_000_000, 0.5) for stratum in strata}
    PostgresState(database).commit(Commit({0: 1}, START, sums=sums))
    rows = database.rows('SELECT stratum, n FROM arm_totals ORDER BY stratum COLLATE "C"')
    assert rows == [(stratum, 1) for stratum in strata]


def test_groups_of_units_are_kept_but_neither_totalled_nor_a_history(database: Database) -> None:
    """They are parts of what stands there anyhow, 64 rows of them."""
    states = PostgresState(database)
    for number, period in ((1, 0), (2, 7)):
        sums = {key(period=period): Sums.of(1_000_000, 0.5)}
        sums[key(stratum="group.17.policy")] = Sums.of(1_000_000, 0.7)
        states.commit(Commit({0: number}, START, sums=sums))
    assert states.load().sums[key(stratum="group.17.policy")].n == 2
    assert database.rows("SELECT stratum, n FROM arm_totals") == [("policy", 2)]
    history = database.rows("SELECT stratum, n FROM arm_history ORDER BY commit")
    assert history == [("policy", 1), ("policy", 2)]


def test_every_table_and_column_says_what_it_is(database: Database) -> None:
    found = database.rows(
        "SELECT c.relname, a.attname, col_description(c.oid, a.attnum), obj_description(c.oid) "
        "FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 "
        "WHERE c.relnamespace = current_schema()::regnamespace AND NOT c.relispartition "
        "AND c.relkind IN ('r', 'p', 'v')"
    )
    assert len({table for table, *_ in found}) == 13
    assert [one for one in found if not one[2] or not one[3]] == []


# --- history --------------------------------------------------------------------------------------


def test_every_intermediate_state_is_a_row(database: Database) -> None:
    """Of each arm that a commit changed: its sums over all periods, after it."""
    states = PostgresState(database)
    one, other = Sums.of(1_000_000, 0.5), Sums.of(0, 0.25)
    states.commit(Commit({0: 1}, START, sums={key(): one, key(arm=1): one}))
    states.commit(Commit({0: 2}, START + 5, sums={key(period=7): other}))
    states.commit(Commit({0: 3}, START + 9, counts={("b", "holdout"): 1}))
    rows = database.rows(
        "SELECT watermark, experiment, arm, stratum, n, r, w2r2 FROM arm_history "
        "JOIN commits ON commits.id = commit ORDER BY commit, arm"
    )
    assert rows == [
        (START, "b", 0, "policy", 1, one.r, one.w2r2),
        (START, "b", 1, "policy", 1, one.r, one.w2r2),
        (START + 5, "b", 0, "policy", 2, one.r, one.w2r2 + other.w2r2),
    ]


def test_the_history_is_exact_where_numbers_outgrow_64_bits(database: Database) -> None:
    PostgresState(database).commit(Commit({0: 1}, START, sums={key(): HUGE}))
    assert database.rows("SELECT n, w2r2 FROM arm_history") == [(HUGE.n, HUGE.w2r2)]


def test_the_examples_of_the_reference_run(database: Database, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reference" / "postgresql.md").read_text()
    PostgresState(database).commit(Commit({0: 1}, START, sums={key("top-button"): Sums.of(1, 0.5)}))
    found = []
    for example in re.findall(r"```sql\n(.*?)```", page, re.DOTALL):
        query = example.replace("croupier.", f"{unique(tmp_path)}.")
        with psycopg.connect(URLS[Postgres]) as one:
            answer = one.execute(query.encode()).description
        found.append([column.name for column in answer or ()])
    assert found == [
        ["name", "n", "reward_sum", "mean"],
        ["at", "arm", "n", "mean"],
        ["arm", "value"],
        [],
    ]


def test_every_column_is_in_the_reference(database: Database, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reference" / "postgresql.md").read_text()
    columns = database.rows(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s",
        (unique(tmp_path),),
    )
    assert columns
    for table, column in columns:
        if not table.startswith("ids_"):
            assert f"`{table}`" in page
            assert f"`{column}`" in page, f"{table}.{column}"


# --- scopes ---------------------------------------------------------------------------------------


def test_scopes_have_their_own_positions_and_add_up_the_rest(database: Database) -> None:
    join, learn = PostgresState(database, "join"), PostgresState(database, "learn")
    join.commit(Commit({0: 5}, 50, since={}, open={"b": 3}, late=FULL.late))
    learn.commit(Commit({0: 9}, 40, since={}, open={"b": 1}, sums=FULL.sums))
    assert (join.load().positions, join.load().watermark) == ({0: 5}, 50)
    assert (learn.load().positions, learn.load().watermark) == ({0: 9}, 40)
    assert join.load().open == learn.load().open == {"b": 4}
    assert join.load().sums == learn.load().sums == FULL.sums
    assert join.load().counts == {("b", "late"): 2}


def test_two_learners_at_once_add_everything_once(database: Database, tmp_path: Path) -> None:
    """Whoever comes second is refused: it stands where it is no longer."""
    other = postgres(tmp_path)
    refused: list[int] = []

    def learn(states: PostgresState) -> None:
        for number in range(1, 21):
            try:
                states.commit(commit(number, since=number - 1))
            except StaleError:
                refused.append(number)

    threads = [
        threading.Thread(target=learn, args=[PostgresState(one)]) for one in (database, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    standing = PostgresState(database).load()
    assert standing.positions == {0: 20}
    assert standing.sums[key()].n == 20
    assert standing.counts == {("b", "observations"): 20}
    other.close()


# --- ids ------------------------------------------------------------------------------------------


def test_weeks_of_ids_are_tables_that_are_dropped_whole(database: Database) -> None:
    week = 7 * 86_400_000
    states = PostgresState(database)
    states.commit(Commit({}, 0, ids={b"%d" % n: n * week // 2 for n in range(8)}))
    names = "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid "
    mine = names + "WHERE inhparent = 'ids'::regclass ORDER BY 1"
    assert [row[0] for row in database.rows(mine)] == [f"ids_{n}" for n in range(4)]
    assert states.trim_ids(2 * week + week // 2) == 4
    assert [row[0] for row in database.rows(mine)] == ["ids_2", "ids_3"]
    assert states.known([b"%d" % n for n in range(8)]) == {b"4", b"5", b"6", b"7"}


# --- migrations -----------------------------------------------------------------------------------


def test_a_schema_of_a_newer_croupier_is_refused(database: Database, tmp_path: Path) -> None:
    database.run(lambda one: one.execute("INSERT INTO migrations VALUES (99)"))
    for read_only in (False, True):
        with pytest.raises(UnusableError, match=r"newer Croupier \(migration 99"):
            Database(URLS[Postgres], unique(tmp_path), read_only=read_only)


def test_a_schema_that_is_not_there_is_not_made_for_reading(
    running: Running, tmp_path: Path
) -> None:
    provide(Postgres, running)
    with pytest.raises(UnusableError, match="holds no tables of Croupier's"):
        Database(URLS[Postgres], unique(tmp_path), read_only=True)


def test_for_reading_only_nothing_can_be_written(database: Database, tmp_path: Path) -> None:
    reader = Database(URLS[Postgres], unique(tmp_path), read_only=True)
    assert plain(PostgresState(reader).load()) == plain(PostgresState(database).load())
    with pytest.raises(UnavailableError, match="read-only"):
        PostgresState(reader).commit(FULL)
    reader.close()


def test_migrations_are_applied_once_however_many_start_at_once(
    running: Running, tmp_path: Path
) -> None:
    provide(Postgres, running)
    unique(tmp_path)
    opened: list[Database] = []
    threads = [threading.Thread(target=lambda: opened.append(postgres(tmp_path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 4
    applied = opened[0].rows("SELECT version FROM migrations ORDER BY 1")
    assert [row[0] for row in applied] == [number for number, _ in migrations()]
    assert [number for number, _ in migrations()] == list(range(1, len(migrations()) + 1))
    for one in opened:
        one.close()


# --- one at a time --------------------------------------------------------------------------------


def test_names_are_held_by_one_at_a_time(
    database: Database, running: Running, tmp_path: Path
) -> None:
    """All of them or none; they are free when the holder is gone, however it went."""
    other = postgres(tmp_path)
    database.hold(["join.0", "join.2"])
    for _ in range(2):
        with pytest.raises(UnavailableError, match=r"another process is join\.2: waiting"):
            other.hold(["join.1", "join.2"])
    database.hold(["join.0", "join.1", "join.2"])
    other.hold(["learn"])
    with psycopg.connect(URLS[Postgres], autocommit=True) as beside:
        beside.execute("SELECT pg_terminate_backend(%s)", (_pid(database),))
    _until(lambda: other.hold(["join.1", "join.2"]))
    with pytest.raises(UnavailableError, match=r"another process is join\.1: waiting"):
        database.rows("SELECT 1")
    other.close()
    _until(lambda: database.rows("SELECT 1"))


def _pid(database: Database) -> int:
    return int(database.rows("SELECT pg_backend_pid()")[0][0])


def _until(action: Callable[[], object]) -> None:
    """Do it until it can be done: the server frees what a session held a moment after its end."""

    def done() -> bool:
        try:
            action()
        except UnavailableError:
            return False
        return True

    assert wait_for(done, 30)


# --- a bad server ---------------------------------------------------------------------------------


@pytest.fixture
def server(running: Running) -> Iterator[Service]:
    one = running(Postgres)
    yield one
    one.resume()
    one.start()


@pytest.fixture
def impatient(server: Service, tmp_path: Path) -> Iterator[Database]:
    one = Database(server.url, unique(tmp_path), patience=1.0)
    yield one
    one.close()


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(UnavailableError, match="postgresql:"):
        Database(f"postgresql://croupier@127.0.0.1:{free_port()}/postgres")


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_what_was_committed_is_there_after_the_server_ended(
    server: Service, impatient: Database, how: str
) -> None:
    states = PostgresState(impatient)
    states.commit(FULL)
    before = plain(states.load())
    if how == "kill":
        server.kill()
        assert wait_for(lambda: not _sessions(server), 30)
    else:
        server.stop()
    with pytest.raises(UnavailableError):
        states.load()
    with pytest.raises(UnavailableError):
        states.commit(commit(8))
    server.start()
    assert plain(states.load()) == before
    states.commit(commit(8, since=7))
    assert states.load().positions == {0: 8}


def _sessions(server: Service) -> bool:
    try:
        psycopg.connect(server.url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_session_killed_within_a_commit_changes_nothing_and_the_commit_may_be_sent_again(
    impatient: Database, server: Service
) -> None:
    states = PostgresState(impatient)
    states.commit(FULL)
    before = plain(states.load())
    again = commit(8, since=7)

    class Killing(dict[bytes, int]):
        """Ids that end the session when they are written, in the middle of the transaction."""

        def items(self) -> Any:
            with psycopg.connect(server.url, autocommit=True) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE application_name = 'croupier' AND state = 'active' "
                    "AND pid <> pg_backend_pid()"
                )
            return super().items()

    with pytest.raises(UnavailableError):
        states.commit(msgspec.structs.replace(again, ids=Killing(again.ids)))
    assert plain(states.load()) == before
    states.commit(again)
    states.commit(again)
    assert states.load().sums[key()].n == HUGE.n + 1
    assert states.known([b"8"]) == {b"8"}


def test_a_server_that_hangs_is_cut_off(server: Service, impatient: Database) -> None:
    """A stopped postmaster takes no connection; the session's own process must hang, too."""
    states = PostgresState(impatient)
    states.commit(FULL)
    before = plain(states.load())
    with psycopg.connect(server.url, autocommit=True) as other:
        other.execute("BEGIN")
        other.execute(f'LOCK TABLE "{impatient._schema}".positions')
        with pytest.raises(UnavailableError):
            states.commit(commit(8, since=7))
    server.pause()
    impatient.close()
    with pytest.raises(UnavailableError):
        states.load()
    server.resume()
    assert plain(states.load()) == before
    states.commit(commit(8, since=7))
    assert states.load().positions == {0: 8}


def test_a_hanging_session_is_cut_off_by_the_clock_of_the_client(impatient: Database) -> None:
    """The server's timeouts are turned off, as if it could not act on them."""

    def hang(connection: psycopg.Connection[tuple[object, ...]]) -> None:
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute("SELECT pg_sleep(60)")

    with pytest.raises(UnavailableError):
        impatient.run(hang)
    assert impatient.rows("SELECT 1") == [(1,)]


def test_late_records_are_set_aside_with_what_they_say(database: Database) -> None:
    PostgresState(database).commit(Commit({}, 0, late=FULL.late))
    rows = database.rows("SELECT identity, experiment, stamp, payload FROM late ORDER BY 1")
    assert rows == [(b"one" * 5, "b", START, TICK), (b"two" * 5, "b", START, TICK)]
