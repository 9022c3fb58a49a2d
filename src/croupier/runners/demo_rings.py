"""The rings that a demo may run on: real processes, one of which is killed."""

import subprocess
import sys
from pathlib import Path
from typing import Protocol

Address = tuple[str, int]


class Ring(Protocol):
    """Something to kill."""

    def start(self, toml: str) -> list[Address]:
        """Start with these settings; where it answers."""

    def kill(self) -> str:
        """Kill −9 one process and start it again; what it was."""

    def stop(self) -> None:
        """SIGTERM, and wait."""


class Child:
    """A croupier command in a process of its own, which says on its first line that it is ready."""

    def __init__(self, name: str, folder: Path, *arguments: str) -> None:
        self.name, self._folder, self._arguments = name, folder, arguments
        self._process: subprocess.Popen[str] | None = None

    def spawn(self, *more: str) -> None:
        """Start it without waiting."""
        command = [sys.executable, "-m", "croupier", *self._arguments, *more]
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            [*command, "--log-level", "warning"],
            cwd=self._folder,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ready(self, word: str) -> str:
        """Its first line, once it is there; RuntimeError for another."""
        process = self._process
        line = process.stdout.readline() if process and process.stdout else ""
        if not line.startswith(word):
            raise RuntimeError(f"{self.name} did not start: {line!r}")
        return line

    def kill(self) -> None:
        """Kill −9: no goodbye, no flush."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=30)


class OneProcess:
    """`croupier up`, on a port that it picked and a file in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, 0
        self._child = Child("the server", folder, "up", "--data", "demo.db")

    def start(self, toml: str) -> list[Address]:
        """Start on nothing."""
        (self._folder / "croupier.toml").write_text(toml)
        return [self._start()]

    def kill(self) -> str:
        """Kill it, and start it again on the same data and port."""
        self._child.kill()
        self._start()
        return self._child.name

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._child.stop()

    def _start(self) -> Address:
        self._child.spawn("--port", str(self._port))
        self._port = int(self._child.ready("listening on ").rsplit(":", 1)[1])
        return "127.0.0.1", self._port


class Processes:
    """`croupier learn`, two each of `join`, `observe` and `serve`, on Kafka and so on."""

    def __init__(self, folder: Path, log: str, states: str, cache: str) -> None:
        self._folder = folder
        urls = ["--log", log, "--states", states, "--cache", cache]
        self._behind = [Child("learn", folder, "learn", *urls)]
        self._behind += [
            Child(f"{app} {n}/2", folder, app, *urls, "--share", f"{n}/2")
            for app in ("join", "observe")
            for n in (1, 2)
        ]
        self._servers = [Child(f"server {n}", folder, "serve", *urls) for n in (1, 2)]
        self._ports = [0, 0]
        self._victims = [self._behind[1], self._servers[0], self._behind[0], self._behind[3]]

    def start(self, toml: str) -> list[Address]:
        """Start all of them, in any order."""
        (self._folder / "croupier.toml").write_text(toml)
        for each in self._behind:
            each.spawn()
        for place in range(len(self._servers)):
            self._spawn_server(place)
        for each in self._behind:
            each.ready("ready")
        for place in range(len(self._servers)):
            self._await_server(place)
        return [("127.0.0.1", port) for port in self._ports]

    def kill(self) -> str:
        """Kill join, a server, learn, observe, in turn, and start it again."""
        victim = self._victims.pop(0)
        self._victims.append(victim)
        victim.kill()
        if victim in self._servers:
            self._spawn_server(self._servers.index(victim))
            self._await_server(self._servers.index(victim))
        else:
            victim.spawn()
            victim.ready("ready")
        return victim.name

    def stop(self) -> None:
        """SIGTERM, and wait."""
        for each in (*self._servers, *self._behind):
            each.stop()

    def _spawn_server(self, place: int) -> None:
        self._servers[place].spawn("--port", str(self._ports[place]))

    def _await_server(self, place: int) -> None:
        self._ports[place] = int(self._servers[place].ready("listening on ").rsplit(":", 1)[1])
