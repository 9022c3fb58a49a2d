"""`croupier spark …` as a process of its own, which may be killed and started again."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from croupier.config.services import Services
from croupier.config.spark import SparkSettings
from tests.services.service import ROOT
from tests.spark.tale import wait_for

PATIENCE = 240.0
"""A process is there in seconds on a quiet machine."""
_TOML = """
[[experiment]]
name = "aside"
arms = ["x", "y"]
default = "x"
reward = { click = 1.0 }
"""


class Process:
    """One at a time; whichever was started last."""

    def __init__(self, services: Services, spark: SparkSettings, folder: Path) -> None:
        self._services, self._spark, self._folder = services, spark, folder
        (folder / "croupier.toml").write_text(_TOML)
        self._running: subprocess.Popen[bytes] | None = None

    def start(self, app: str, most: int, point: str = "") -> None:
        """Start it; at `point` of a commit it kills itself (tests.ring.mortal)."""
        log, states, cache = self._services
        module = ["tests.ring.mortal", point] if point else ["croupier"]
        command = [sys.executable, "-W", "ignore", "-m", *module, "spark", app, "--recover"]
        command += ["--log", log, "--states", states, "--cache", cache, "--master", "local[2]"]
        command += ["--checkpoints", self._spark.checkpoints, "--trigger", "200ms"]
        command += ["--most", str(most)]
        command += [f"--option={key}={value}" for key, value in self._spark.options.items()]
        if app == "learn":
            command += ["--config", str(self._folder / "croupier.toml")]
        with self._output.open("ab") as output:
            self._running = subprocess.Popen(
                command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True
            )

    @property
    def _output(self) -> Path:
        return self._folder / "output.log"

    @property
    def alive(self) -> bool:
        """AssertionError, with its last words, when it has ended by itself."""
        assert self._running is not None
        assert self._running.poll() is None, self._output.read_text(errors="replace")[-2000:]
        return True

    @property
    def jvm(self) -> int:
        """The child of the driver that is Java."""
        assert self._running
        children = Path(f"/proc/{self._running.pid}/task/{self._running.pid}/children")
        pids = [int(pid) for pid in children.read_text().split()]
        return next(pid for pid in pids if "java" in Path(f"/proc/{pid}/comm").read_text())

    def kill(self, *, jvm: bool = False) -> None:
        """Kill one of the two; the other ends by itself."""
        assert self._running
        java = self.jvm
        os.kill(java if jvm else self._running.pid, signal.SIGKILL)
        assert self._running.wait(PATIENCE) != 0
        assert wait_for(lambda: not Path(f"/proc/{java}").exists(), PATIENCE)

    def await_death(self) -> None:
        """Wait until it has killed itself, and its JVM has ended."""
        assert self._running
        assert wait_for(self._has_jvm, PATIENCE)
        java = self.jvm
        assert self._running.wait(PATIENCE) == -signal.SIGKILL
        assert wait_for(lambda: not Path(f"/proc/{java}").exists(), PATIENCE)

    def _has_jvm(self) -> bool:
        with suppress(StopIteration, OSError):
            return bool(self.jvm)
        return False

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        assert self._running
        self._running.terminate()
        return self._running.wait(PATIENCE)

    def clean(self) -> None:
        """Leave nothing running."""
        if self._running is not None and self._running.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._running.pid, signal.SIGKILL)
            self._running.wait(30)
