"""`make services`: idempotent, what it holds lasts, clear errors."""

import socket
from pathlib import Path

import pytest

from tests.services.__main__ import all_of
from tests.services.fixtures import in_ci
from tests.services.servers import Redis
from tests.services.service import ServiceError, binary, free_port

pytestmark = pytest.mark.services


@pytest.fixture
def redis(tmp_path: Path) -> Redis:
    try:
        binary("redis-server", "redis-server")
    except ServiceError as error:
        (pytest.fail if in_ci() else pytest.skip)(str(error))
    return Redis(tmp_path / "redis", free_port())


def ask(service: Redis, words: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", service.port), 5) as one:
        one.sendall(words + b"\r\n")
        return one.recv(100)


def test_it_may_be_started_and_stopped_twice_and_keeps_what_it_holds(redis: Redis) -> None:
    redis.start()
    pid = redis.pid
    redis.start()
    assert redis.pid == pid
    ask(redis, b"SET a b")
    redis.stop()
    redis.stop()
    assert redis.pid is None
    redis.start()
    assert ask(redis, b"GET a") == b"$1\r\nb\r\n"
    assert Redis(redis.folder, redis.port).pid == redis.pid
    redis.stop()


def test_a_port_that_is_taken_is_named(redis: Redis) -> None:
    with socket.create_server(("127.0.0.1", redis.port)):
        with pytest.raises(ServiceError, match=rf"port {redis.port} is taken by another process"):
            redis.start()
        assert redis.pid is None


def test_a_pid_that_another_process_has_now_is_not_ours(redis: Redis) -> None:
    redis.folder.mkdir()
    (redis.folder / "pid").write_text("1 Thu Jan  1 00:00:00 1970")
    redis.stop()
    assert redis.pid is None


def test_a_program_that_is_missing_is_named_with_its_package() -> None:
    with pytest.raises(ServiceError, match="apt-get install a-package"):
        binary("no-such-program", "a-package")


def test_a_server_that_ends_at_once_says_why(redis: Redis) -> None:
    redis.folder.mkdir()
    (redis.folder / "appendonlydir").write_text("not a folder")
    with pytest.raises(ServiceError, match="redis ended at once:"):
        redis.start()


def test_folder_and_ports_come_from_the_environment(tmp_path: Path) -> None:
    found = all_of({"CROUPIER_SERVICES": str(tmp_path), "CROUPIER_REDIS_PORT": "7000"})
    assert [one.name for one in found] == ["redis", "postgres", "kafka"]
    assert [one.folder.parent for one in found] == [tmp_path] * 3
    assert [one.port for one in found] == [7000, 15432, 19092]
