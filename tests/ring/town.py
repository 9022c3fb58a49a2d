"""A distributed ring of real processes on real services, any of which may be killed or hang."""

import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from croupier.config.services import Services
from tests.ring.server import HOST, free_port
from tests.services.service import ROOT

_PATIENCE = 240.0
"""Seconds: a machine that is busy with other things starts Python slowly; nobody waits in vain."""


class Process:
    """One `croupier serve|join|observe|learn`, killed and started again as the same."""

    def __init__(self, name: str, folder: Path, command: list[str], ready: str) -> None:
        self.name, self.port = name, 0
        self.log = folder / f"{name}.log"
        self._command, self._ready = command, ready
        self._child: subprocess.Popen[str] | None = None

    @property
    def ended(self) -> int | None:
        """The exit code, when it has ended and nobody asked it to."""
        return None if self._child is None else self._child.poll()

    def spawn(self, point: str = "") -> None:
        """Start it without waiting; at `point` of a commit it kills itself (tests.ring.mortal)."""
        assert self._child is None, f"{self.name} runs"
        module = ["tests.ring.mortal", point] if point else ["croupier"]
        with self.log.open("a") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", *module, *self._command],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                bufsize=1,
            )

    def wait(self) -> None:
        """Return when it says that it is ready; AssertionError when it ends instead."""
        said: list[str] = []
        child = self._child
        assert child is not None
        assert child.stdout is not None
        reading = threading.Thread(target=lambda: said.append(child.stdout.readline()), daemon=True)  # type: ignore[union-attr]
        reading.start()
        reading.join(_PATIENCE)
        assert said == [f"{self._ready}\n"], f"{self.name} said {said}\n{self.tail()}"

    def start(self) -> None:
        """Start, and wait until it is ready."""
        self.spawn()
        self.wait()

    def send(self, what: signal.Signals) -> None:
        """A signal to it."""
        if self._child is not None:
            self._child.send_signal(what)

    def end(self, sign: signal.Signals = signal.SIGKILL, patience: float = _PATIENCE) -> int:
        """Signal it, wait for its end; the exit code."""
        child, self._child = self._child, None
        assert child is not None, f"{self.name} does not run"
        child.send_signal(sign)
        return self._bury(child, patience)

    def await_end(self, patience: float = _PATIENCE) -> int:
        """Wait until it ends by itself; the exit code."""
        child, self._child = self._child, None
        assert child is not None
        return self._bury(child, patience)

    def _bury(self, child: "subprocess.Popen[str]", patience: float) -> int:
        try:
            return child.wait(patience)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise AssertionError(f"{self.name} did not end\n{self.tail()}") from None
        finally:
            if child.stdout is not None:
                child.stdout.close()

    def close(self) -> None:
        """Leave nothing running, whatever happened."""
        if self._child is not None:
            with suppress(AssertionError):
                self.end(signal.SIGKILL)

    def tail(self, lines: int = 25) -> str:
        """The last lines that it logged."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


class Town:
    """All processes of one distributed ring."""

    def __init__(self, folder: Path, toml: str, services: Services, servers: int = 3) -> None:
        self.folder, self.services = folder, services
        self.config, self.keys = folder / "croupier.toml", folder / "croupier.keys"
        self.config.write_text(toml)
        urls = ["--log", services.log, "--states", services.states, "--cache", services.cache]
        file = ["--config", str(self.config)]
        self.learn = Process("learn", folder, ["learn", *urls, *file], "ready")
        self.joins, self.observes = (
            [
                Process(f"{app}-{n}", folder, [app, *urls, "--share", f"{n}/2"], "ready")
                for n in (1, 2)
            ]
            for app in ("join", "observe")
        )
        self.servers = [self._server(number, urls + file) for number in range(servers)]

    def _server(self, number: int, options: list[str]) -> Process:
        port = free_port()
        place = ["--port", str(port), "--keys", str(self.keys)]
        ready = f"listening on http://{HOST}:{port}"
        server = Process(f"serve-{number}", self.folder, ["serve", *options, *place], ready)
        server.port = port
        return server

    @property
    def processes(self) -> list[Process]:
        """Every one of them."""
        return [self.learn, *self.joins, *self.observes, *self.servers]

    def start(self) -> None:
        """Start all, in any order; return when all are ready."""
        for process in self.processes:
            process.spawn()
        for process in self.processes:
            process.wait()

    def check(self) -> None:
        """AssertionError when one has ended by itself: nobody would have restarted it."""
        for process in self.processes:
            assert process.ended is None, f"{process.name}: {process.ended}\n{process.tail()}"

    def close(self) -> None:
        """Leave nothing running."""
        for process in self.processes:
            process.close()

    def tails(self) -> str:
        """What all of them logged last."""
        return "\n".join(f"--- {one.name}\n{one.tail(8)}" for one in self.processes)
