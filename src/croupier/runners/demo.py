"""The demo: a real server, visitors over real HTTP, a kill −9, and the accounts."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from croupier.runners.visitors import Caller, Truth, Visitor

RATES = {
    "headline 1": 73 / 3725,
    "headline 2": 58 / 3735,
    "headline 3": 62 / 3668,
    "headline 4": 93 / 3694,
}
"""Clicks / impressions of one real test of four headlines: Upworthy Research Archive, test
5459915f288e407b74000032 (Matias, Munger, Aubin Le Quere, Ebersole 2021, Scientific Data)."""

EXPERIMENT = "headline"
STREAMS, STEPS = 4, 10
_MOST_DELAY = 0.9
_TOML = f"""
[[experiment]]
name = "{EXPERIMENT}"
arms = {list(RATES)}
default = "headline 1"
reward = {{ click = 1.0 }}
expose_within = "1s"
window = "1s"
lateness = "4s"
session = "none"
refresh = "500ms"
surface = "front page"
"""
"""Time compressed: a second stands for fifteen minutes. Lateness outlasts a restart."""


class Summary(msgspec.Struct):
    """What the demo found out; shares are of decisions, lost and doubled count trials, clicks."""

    visitors: int
    observations: int
    clicks: int
    lost: int
    doubled: int
    late: int
    resent: int
    kills: int
    best_arm: str
    best_arm_share: float
    best_arm_share_over_time: list[float]
    reward_vs_uniform: float
    decisions_per_second: float
    seconds: float
    arms: list[dict[str, Any]]
    share_over_time: dict[str, list[float]]


class Server:
    """A real `croupier up` in a process of its own, on a port that it picked."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, 0
        self._process: subprocess.Popen[str] | None = None
        (folder / "croupier.toml").write_text(_TOML)

    def start(self) -> tuple[str, int]:
        """Start, or start again on the same data and port; where it listens."""
        command = [sys.executable, "-m", "croupier", "up", "--log-level", "warning"]
        command += ["--config", "croupier.toml", "--data", "demo.db", "--port", str(self._port)]
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=self._folder, stdout=subprocess.PIPE, text=True
        )
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line.startswith("listening on "):
            raise RuntimeError(f"the server did not start: {line!r}")
        self._port = int(line.rsplit(":", 1)[1])
        return "127.0.0.1", self._port

    def kill(self) -> None:
        """Kill −9: no goodbye, no flush."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and wait."""
        if self._process:
            self._process.terminate()
            self._process.wait(timeout=20)


def run(
    folder: Path,
    visitors: int,
    seconds: float,
    seed: int,
    kills: int,
    watch: Callable[[Truth, Any], None],
) -> Summary:
    """Run the demo in a folder of its own; `watch` sees the truth and the server's page."""
    server = Server(folder)
    host, port = server.start()
    truth = Truth(tuple(RATES), visitors, STEPS)
    share, rest = divmod(visitors, STREAMS)
    streams = [
        Visitor(
            f"{seed}-{number}", share + (number < rest), seconds, Caller(host, port), EXPERIMENT,
            RATES, truth, _MOST_DELAY,
        )
        for number in range(STREAMS)
    ]  # fmt: skip
    began, caller = time.monotonic(), Caller(host, port)
    for stream in streams:
        stream.start()
    killed = 0
    while any(stream.is_alive() for stream in streams):
        time.sleep(0.25)
        if killed < kills and truth.decisions > visitors * (killed + 1) / (kills + 1):
            server.kill()
            server.start()
            killed += 1
            truth.killed = killed
        watch(truth, caller.request("GET", f"/v1/experiments/{EXPERIMENT}"))
    took = time.monotonic() - began
    for stream in streams:
        if stream.error is not None:
            raise stream.error
    page = _settled(caller, truth, watch)
    server.stop()
    return _summarise(truth, page, killed, took)


def _settled(caller: Caller, truth: Truth, watch: Callable[[Truth, Any], None]) -> Any:
    """The server's page once every story has closed."""
    deadline = time.monotonic() + 30
    while True:
        page = caller.request("GET", f"/v1/experiments/{EXPERIMENT}")
        watch(truth, page)
        if page["open"] == 0 or time.monotonic() > deadline:
            return page
        time.sleep(0.25)


def _summarise(truth: Truth, page: Any, kills: int, took: float) -> Summary:
    found = {arm["arm"]: arm for arm in page["arms"]}
    gaps = [truth.shown[arm] - found[arm]["n"] for arm in RATES]
    gaps += [truth.clicks[arm] - round(found[arm]["reward_sum"]) for arm in RATES]
    best = max(RATES, key=lambda arm: RATES[arm])
    shares = {
        arm: [step[arm] / max(1, step.total()) for step in truth.over_time if step] for arm in RATES
    }
    uniform = sum(RATES.values()) / len(RATES)
    earned = sum(truth.shown[arm] * RATES[arm] for arm in RATES) / max(1, truth.decisions)
    return Summary(
        visitors=truth.decisions,
        observations=page["observations"],
        clicks=truth.clicks.total(),
        lost=sum(max(0, gap) for gap in gaps),
        doubled=sum(max(0, -gap) for gap in gaps),
        late=page["late"],
        resent=truth.resent,
        kills=kills,
        best_arm=best,
        best_arm_share=shares[best][-1] if shares[best] else 0.0,
        best_arm_share_over_time=shares[best],
        reward_vs_uniform=earned / uniform,
        decisions_per_second=truth.decisions / took,
        seconds=took,
        arms=[
            {
                "arm": arm,
                "true_rate": RATES[arm],
                "shown": truth.shown[arm],
                "clicked": truth.clicks[arm],
                "n": found[arm]["n"],
                "reward_sum": found[arm]["reward_sum"],
                "weight": found[arm]["weight"],
            }
            for arm in RATES
        ],
        share_over_time=shares,
    )
