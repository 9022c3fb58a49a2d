"""The processes that benchmarks talk to: croupier, its door alone, other servers, Redis."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import SERVER_CORE, hurry
from croupier.config.keys import TOKEN_KEYS, UNIT_KEY

ROOT = Path(__file__).resolve().parents[1]
TOKEN_KEY = bytes(range(32))
KEYS = {TOKEN_KEYS: f"1:{TOKEN_KEY.hex()}", UNIT_KEY: bytes(range(32, 64)).hex()}
READY_SECONDS = 60.0


class Served(NamedTuple):
    """A server that listens on 127.0.0.1."""

    pid: int
    port: int


class MissingServiceError(Exception):
    """A program that a benchmark needs is not installed; the text says how to get it."""


@contextlib.contextmanager
def croupier(folder: Path, toml: str, *, urgent: bool = False) -> Iterator[Served]:
    """`croupier up`, the whole ring, on the server's core."""
    config = folder / "croupier.toml"
    config.write_text(toml)
    command = [sys.executable, "-m", "croupier", "up", "--config", str(config)]
    command += ["--data", str(folder / "croupier.db"), "--port", "0", "--log-level", "warning"]
    with _running(command, KEYS, urgent=urgent) as process:
        yield Served(process.pid, _announced_port(process))


@contextlib.contextmanager
def server(folder: Path, toml: str, urls: Sequence[str]) -> Iterator[Served]:
    """`croupier serve`, one of several, on the stores that these options name."""
    config = folder / "croupier.toml"
    config.write_text(toml)
    command = [sys.executable, "-m", "croupier", "serve", "--config", str(config), *urls]
    with _running([*command, "--port", "0", "--log-level", "warning"], KEYS) as process:
        yield Served(process.pid, _announced_port(process))


@contextlib.contextmanager
def door(folder: Path, toml: str) -> Iterator[Served]:
    """Croupier's doors and log without the ring behind them: what `serve` does."""
    config = folder / "croupier.toml"
    config.write_text(toml)
    command = [sys.executable, "-m", "benchmarks.door", str(config), str(folder / "croupier.db")]
    with _running(command, KEYS) as process:
        yield Served(process.pid, _announced_port(process))


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[Served]:
    """A real Redis, in memory only."""
    program = shutil.which("redis-server")
    if program is None:
        raise MissingServiceError("redis-server is not installed: apt-get install redis-server")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    command += ["--appendonly", "no", "--dir", str(folder), "--loglevel", "warning"]
    with _running(command, {}) as process:
        _await_port(port)
        yield Served(process.pid, port)


@contextlib.contextmanager
def uvicorn_app(
    app: str, environment: Mapping[str, str], *, urgent: bool = False
) -> Iterator[Served]:
    """An ASGI app of this folder under uvicorn, with its fastest loop and parser."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--no-access-log"]
    command += ["--log-level", "warning", "--loop", "uvloop", "--http", "httptools"]
    with _running(command, environment, urgent=urgent) as process:
        _await_port(port)
        yield Served(process.pid, port)


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _running(
    command: Sequence[str], environment: Mapping[str, str], *, urgent: bool = False
) -> Iterator["subprocess.Popen[str]"]:
    inherited = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    process = subprocess.Popen(
        ["taskset", "-c", str(SERVER_CORE), *command],
        cwd=ROOT,
        env=inherited | dict(environment),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=urgent,
    )
    if urgent:
        hurry(process.pid)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _announced_port(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    for text in process.stdout:
        if text.startswith("listening on "):
            return int(text.rpartition(":")[2])
    raise RuntimeError("the server ended before it listened")


def _await_port(port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > deadline:
            raise RuntimeError(f"nobody listens on port {port}")
        time.sleep(0.05)
