"""The demo: a real server, visitors over real HTTP, a kill −9, and the accounts."""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from croupier.runners.demo_rings import Ring
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
_SETTLE_SECONDS = 60


def toml_of() -> str:
    """The experiment: a second stands for fifteen minutes; lateness outlasts a restart."""
    return f"""
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


def run(
    ring: Ring,
    visitors: int,
    seconds: float,
    seed: int,
    kills: int,
    watch: Callable[[Truth, Any], None],
) -> Summary:
    """Run the demo on a ring; `watch` sees the truth and the server's page."""
    addresses = ring.start(toml_of())
    truth = Truth(tuple(RATES), visitors, STEPS)
    share, rest = divmod(visitors, STREAMS)
    streams = [
        Visitor(
            f"{seed}-{number}", share + (number < rest), seconds,
            Caller(*addresses[number % len(addresses)]), EXPERIMENT, RATES, truth, _MOST_DELAY,
        )
        for number in range(STREAMS)
    ]  # fmt: skip
    began, caller = time.monotonic(), Caller(*addresses[0])
    for stream in streams:
        stream.start()
    killed = 0
    while any(stream.is_alive() for stream in streams):
        time.sleep(0.25)
        if killed < kills and truth.decisions > visitors * (killed + 1) / (kills + 1):
            truth.victim = ring.kill()
            killed += 1
            truth.killed = killed
        watch(truth, caller.request("GET", f"/v1/experiments/{EXPERIMENT}"))
    took = time.monotonic() - began
    for stream in streams:
        if stream.error is not None:
            raise stream.error
    page = _settled(caller, truth, watch)
    ring.stop()
    return _summarise(truth, page, killed, took)


def _settled(caller: Caller, truth: Truth, watch: Callable[[Truth, Any], None]) -> Any:
    """The server's page once every story has closed and was learned; as it is after a minute."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        page = caller.request("GET", f"/v1/experiments/{EXPERIMENT}")
        watch(truth, page)
        learned = page["observations"] + page["late"] >= truth.decisions
        if (page["open"] == 0 and learned) or time.monotonic() > deadline:
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
