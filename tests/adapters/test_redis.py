"""Redis's own promises: documented keys, one piece, notices, a server that is flushed or bad."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis as client

from croupier.adapters.durable import DurableSnapshots
from croupier.adapters.memory import MemorySnapshots
from croupier.adapters.redis import RedisSnapshots
from croupier.core import codec
from croupier.ports import Published, Tally, UnavailableError
from tests.adapters.backends import START, redis, unique
from tests.adapters.test_snapshot_cache import TALLY, snapshot, versions
from tests.services.fixtures import URLS, Running, provide
from tests.services.servers import Redis
from tests.services.service import Service, free_port

pytestmark = pytest.mark.services


@pytest.fixture
def cache(running: Running, tmp_path: Path) -> Iterator[RedisSnapshots]:
    provide(Redis, running)
    one = redis(tmp_path)
    yield one
    one.close()


@pytest.fixture
def beside(cache: RedisSnapshots) -> Iterator["client.Redis"]:
    """What another program sees."""
    one = client.Redis.from_url(URLS[Redis])
    yield one
    one.close()


def text(fields: Any) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in fields.items()}


# --- keys -----------------------------------------------------------------------------------------


def test_the_keys_are_those_of_the_reference(
    cache: RedisSnapshots, beside: "client.Redis", tmp_path: Path
) -> None:
    p = unique(tmp_path)
    cache.put(snapshot(1), TALLY)
    cache.put(snapshot(2), TALLY)
    keys: Any = beside.keys(f"{p}:*")
    found = {key.decode() for key in keys}
    assert found == {
        f"{p}:versions",
        f"{p}:b:snapshot",
        f"{p}:b:history",
        f"{p}:home:b:arm:x",
        f"{p}:home:b:arm:無料",
        f"{p}:home:b:drawn",
    }
    assert text(beside.hgetall(f"{p}:versions")) == {"b": "2"}
    assert codec.decode(beside.get(f"{p}:b:snapshot")) == snapshot(2)  # type: ignore[arg-type]
    assert text(beside.hgetall(f"{p}:home:b:arm:x")) == {
        "n": "3",
        "reward_sum": "1.5",
        "mean": "0.5",
        "weight": repr(0.1 + 1e-17),
        "version": "2",
        "at": str(START),
    }
    assert text(beside.hgetall(f"{p}:home:b:arm:無料"))["mean"] == "0.0"
    week = 7 * 86_400_000
    assert week - 60_000 < beside.pttl(f"{p}:home:b:arm:x") <= week
    assert beside.ttl(f"{p}:b:snapshot") == -1


def test_an_arm_that_is_drawn_no_more_weighs_nothing_and_keeps_its_counts(
    cache: RedisSnapshots, beside: "client.Redis"
) -> None:
    """Barred, paused or removed; though the publication that left it out was lost on the way."""
    x, gone = (cache.keys.arm("home", "b", arm) for arm in ("x", "無料"))
    cache.put(snapshot(1), TALLY)
    before = text(beside.hgetall(gone))
    alone = Tally("home", [4], [2_000_000])
    for version, recounted in ((2, False), (4, True)):
        without = snapshot(version, arms=(0,), names=("x",), weights=(1.0,))
        cache.put(without, None if recounted else alone)
        if recounted:
            assert text(beside.hgetall(gone))["weight"] == "0.9"
            assert cache.recount(Published(without, alone))
            assert not cache.recount(Published(without, alone))
        assert text(beside.hgetall(gone)) == before | {"weight": "0.0"}
        assert beside.pttl(gone) > 0
        assert text(beside.hgetall(x))["weight"] == "1.0"
        cache.put(snapshot(version + 1), TALLY)
        before |= {"version": str(version + 1)}
        assert text(beside.hgetall(gone)) == before


def test_counts_that_expired_are_not_made_again_for_an_arm_that_is_gone(
    cache: RedisSnapshots, beside: "client.Redis"
) -> None:
    cache.put(snapshot(1), TALLY)
    gone = cache.keys.arm("home", "b", "無料")
    beside.delete(gone)
    without = snapshot(2, arms=(0,), names=("x",), weights=(1.0,))
    cache.put(without, Tally("home", [4], [2_000_000]))
    assert not beside.exists(gone)


def test_what_is_not_published_writes_no_counts(
    cache: RedisSnapshots, beside: "client.Redis", tmp_path: Path
) -> None:
    cache.put(snapshot(5), TALLY)
    assert not cache.put(snapshot(4), TALLY._replace(n=[9, 9]))
    assert beside.hget(f"{unique(tmp_path)}:home:b:arm:x", "n") == b"3"


def test_history_is_bounded(running: Running, tmp_path: Path) -> None:
    provide(Redis, running)
    one = RedisSnapshots(URLS[Redis], unique(tmp_path), kept=3)
    for version in range(1, 8):
        one.put(snapshot(version))
    assert versions(one) == [5, 6, 7]
    one.close()


def test_many_who_publish_at_once_leave_the_newest(cache: RedisSnapshots, tmp_path: Path) -> None:
    """Every put is one piece: the counts are those of the version that is there."""
    others = [redis(tmp_path) for _ in range(4)]

    def publish(start: int, one: RedisSnapshots) -> None:
        for version in range(start, 60, 4):
            one.put(snapshot(version, at=START + version), TALLY._replace(n=[version, 0]))

    threads = [threading.Thread(target=publish, args=[n, one]) for n, one in enumerate(others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.latest("b") == snapshot(59, at=START + 59)
    kept = versions(cache)
    assert kept == sorted(kept)
    for one in others:
        one.close()


# --- flushed --------------------------------------------------------------------------------------


def test_after_a_flush_versions_go_on_and_readers_never_go_back(cache: RedisSnapshots) -> None:
    """Their numbers are at home in a store that is not flushed."""
    home = MemorySnapshots()
    published = DurableSnapshots(home, cache)
    for version in range(1, 4):
        published.put(snapshot(version), TALLY)
    _forget(cache)
    assert cache.latest("b") is None
    assert cache.newer({"b": 3}) == []
    latest = published.latest("b")
    assert latest is not None
    assert latest.version == 3
    assert published.mend() == 1
    assert published.mend() == 0
    assert cache.latest("b") == snapshot(3)
    assert not published.put(snapshot(3))
    assert published.put(snapshot(4))
    assert [one.version for one in cache.newer({"b": 3})] == [4]


def test_counts_that_were_lost_are_there_again_with_their_version(
    cache: RedisSnapshots, beside: "client.Redis"
) -> None:
    """Flushed with all, lost alone, or about to expire; but never those of another version."""
    arms = [cache.keys.arm("home", "b", arm) for arm in ("x", "無料")]
    DurableSnapshots(MemorySnapshots(), cache).put(snapshot(2), TALLY)
    counted = [text(beside.hgetall(arm)) for arm in arms]
    week, ours = beside.pttl(arms[0]), Published(snapshot(2), TALLY)
    restarted = DurableSnapshots(MemorySnapshots(), cache)
    for lose in (
        lambda: _forget(cache),
        lambda: beside.delete(arms[1]),
        lambda: beside.persist(arms[0]),
        lambda: beside.pexpire(arms[0], week // 3),
    ):
        lose()
        restarted.put(snapshot(2))
        restarted.mend([ours])
        assert [text(beside.hgetall(arm)) for arm in arms] == counted
        assert min(beside.pttl(arm) for arm in arms) > week - 60_000
        assert not cache.recount(ours)
    cache.put(snapshot(3), TALLY._replace(n=[9, 9]))
    restarted.mend([ours])
    assert beside.hget(arms[0], "n") == b"9"


def test_versions_go_on_above_what_is_shown_when_the_database_was_restored(
    cache: RedisSnapshots,
) -> None:
    """A backup of version 2; servers have seen 5 already."""
    cache.put(snapshot(5))
    home = MemorySnapshots()
    home.put(snapshot(2))
    restored = DurableSnapshots(home, cache)
    assert restored.mend() == 0
    assert restored.latest("b") == snapshot(5)
    assert not restored.put(snapshot(3))
    assert restored.put(snapshot(6))
    assert cache.latest("b") == snapshot(6)


def _forget(cache: RedisSnapshots) -> None:
    keys = cache._redis.keys(f"{cache.keys.prefix}:*")
    cache._redis.delete(*keys)


def test_a_snapshot_that_redis_evicted_may_be_put_again(cache: RedisSnapshots) -> None:
    cache.put(snapshot(3))
    cache._redis.delete(cache.keys.snapshot("b"))
    assert cache.put(snapshot(3))
    assert cache.latest("b") == snapshot(3)


# --- a bad server ---------------------------------------------------------------------------------


@pytest.fixture
def server(running: Running) -> Iterator[Service]:
    one = running(Redis)
    yield one
    one.resume()
    one.start()


@pytest.fixture
def impatient(server: Service, tmp_path: Path) -> Iterator[RedisSnapshots]:
    one = RedisSnapshots(server.url, unique(tmp_path), patience=0.5)
    yield one
    one.close()


def test_a_server_that_is_not_there_is_unavailable() -> None:
    one = RedisSnapshots(f"redis://127.0.0.1:{free_port()}")
    with pytest.raises(UnavailableError, match="redis:"):
        one.latest("b")
    with pytest.raises(UnavailableError, match="redis:"):
        one.newer({}, wait=5)
    one.close()


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_server_that_ended_is_unavailable_and_then_there_again(
    server: Service, impatient: RedisSnapshots, how: str
) -> None:
    published = DurableSnapshots(MemorySnapshots(), impatient)
    published.put(snapshot(1))
    assert impatient.newer({"b": 1}, wait=0.01) == []
    getattr(server, how)()
    for ask in (lambda: impatient.latest("b"), lambda: impatient.newer({}, wait=1)):
        with pytest.raises(UnavailableError):
            ask()
    assert published.put(snapshot(2))
    server.start()
    assert published.mend() == 1
    assert impatient.newer({"b": 1}, wait=0.01) == [snapshot(2)]


def test_a_server_that_hangs_is_unavailable_until_it_goes_on(
    server: Service, impatient: RedisSnapshots
) -> None:
    impatient.put(snapshot(1))
    server.pause()
    with pytest.raises(UnavailableError):
        impatient.latest("b")
    with pytest.raises(UnavailableError):
        impatient.put(snapshot(2))
    server.resume()
    newest = msgspec.structs.replace(snapshot(3), watermark=7)
    assert impatient.put(newest)
    assert impatient.latest("b") == newest
