"""A server of the project's own: its folder, its port, its process, started and ended by pid."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_CHILDREN: dict[int, "subprocess.Popen[bytes]"] = {}
"""Processes that this one started, whichever object stops them: somebody must bury them."""


class ServiceError(Exception):
    """A server cannot be started; the message says what to do."""


class Service:
    """One server on loopback. What it holds is in its folder, and survives stop and start.

    The pid file holds the pid with its start time, so that a pid that was given to another
    process meanwhile is never taken for ours.
    """

    name: str
    scheme: str
    end_signal = signal.SIGTERM
    patience = 60.0

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self._pid_file = folder / "pid"

    @property
    def url(self) -> str:
        """What a client is given."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Make what the first start needs."""

    def command(self) -> list[str]:
        """The process, in the foreground."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it is ready for clients."""
        raise NotImplementedError

    # --- start and end ----------------------------------------------------------------------------

    @property
    def pid(self) -> int | None:
        """Its process, if it runs."""
        with suppress(OSError, ValueError):
            pid, _, born = self._pid_file.read_text().partition(" ")
            if int(pid) in _CHILDREN:
                _CHILDREN[int(pid)].poll()  # a dead child would otherwise be listed still
            if _born(int(pid)) == born:
                return int(pid)
        return None

    def start(self) -> None:
        """Start it unless it runs; return when it answers."""
        if self.pid is None:
            _must_be_free(self.port, self.name)
            self.folder.mkdir(parents=True, exist_ok=True)
            self.prepare()
            with (self.folder / "output.log").open("ab") as output:
                child = subprocess.Popen(
                    self.command(),
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            _CHILDREN[child.pid] = child
            self._pid_file.write_text(f"{child.pid} {_born(child.pid)}")
        self.wait_until_it_answers()

    def wait_until_it_answers(self) -> None:
        """Return when clients are served; ServiceError with its last words when it ends instead."""
        if not wait_for(lambda: self.pid is None or self.answers(), self.patience):
            raise ServiceError(f"{self.name} does not answer within {self.patience:.0f} s")
        if self.pid is None:
            words = (self.folder / "output.log").read_text(errors="replace").splitlines()[-5:]
            raise ServiceError("\n  ".join([f"{self.name} ended at once:", *words]))

    def stop(self) -> None:
        """End it in good order; nothing happens when it does not run."""
        self.send(signal.SIGCONT)
        self.send(self.end_signal)
        if not wait_for(lambda: self.pid is None, 30):
            self.send(signal.SIGKILL)
        self._bury()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.send(signal.SIGKILL)
        self._bury()

    def pause(self) -> None:
        """Let it hang: its connections stay, and nothing is answered."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.send(signal.SIGCONT)

    def _bury(self) -> None:
        """Wait for its end; a child is asked for its exit code, or it would be listed for ever."""
        wait_for(lambda: self.pid is None, 30)
        for pid, child in [*_CHILDREN.items()]:
            if child.poll() is not None:
                del _CHILDREN[pid]

    def send(self, what: signal.Signals) -> None:
        """A signal to its process, if it runs."""
        pid = self.pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, what)


def binary(name: str, package: str, *places: str) -> str:
    """The path of a program; ServiceError naming Debian's package when it is missing."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *places])
    found = shutil.which(name, path=path)
    if found is None:
        raise ServiceError(f"{name} is missing. On Debian or Ubuntu: apt-get install {package}")
    return found


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def connects(port: int) -> bool:
    """Whether somebody listens."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def wait_for(what: Callable[[], bool], seconds: float) -> bool:
    """Whether it became true in time."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _must_be_free(port: int, name: str) -> None:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServiceError(
                f"{name}: port {port} is taken by another process "
                f"(set CROUPIER_{name.upper()}_PORT to use another)"
            ) from error


def _born(pid: int) -> str:
    """When a process started; empty when there is none, or only its exit is still to be read."""
    listed = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    state, _, born = listed.partition(" ")
    return "" if state.startswith("Z") else born.strip() or "?"
