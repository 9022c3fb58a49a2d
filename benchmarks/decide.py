"""Decide in process: a hashed draw from published weights, against sampling at each request."""

import random
import time
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.measure import cpu_micros
from benchmarks.peers import peers
from benchmarks.report import Row, Skipped, at_most
from benchmarks.table import beta_decider, slate_decider
from croupier.core.decide import hash_unit

ARMS, MANY, SLOTS = 5, 1_000, 12


def rows(*, quick: bool) -> Iterator[Row | Skipped]:
    (others, skipped), variants = _peers(), _ours()
    times = cpu_micros(others | variants, rounds=3 if quick else 15)
    ours = times["ours"]
    yield at_most(f"decide, {ARMS} arms, in process", "µs CPU", ours, 5.0)
    for name in ("sticky unit", "sticky decision", "exclude one (cached)", "hash unit, id, clock"):
        yield Row(f"decide, {ARMS} arms, {name}", "µs CPU", times[name])
    yield at_most("decide, 1,000 arms", "µs CPU", times["1,000 arms"], 5.0)
    for name in others:
        yield Row(f"decide, {ARMS} arms, in process", "µs CPU", ours, name, times[name])
    yield from (Skipped(f"decide, {each.what}", each.why) for each in skipped)
    yield from _slates()


def _ours() -> dict[str, Callable[[], object]]:
    at, unit = int(time.time() * 1000), hash_unit(bytes(32), "u-17")
    tracking_id = at.to_bytes(6, "big") + bytes(9)
    five, many = beta_decider(ARMS), beta_decider(1_000)
    by_unit, by_decision = beta_decider(ARMS, sticky="unit"), beta_decider(ARMS, sticky="decision")
    known = {f"arm-{number}": number for number in range(ARMS)}

    def whole() -> object:
        now = time.time_ns() // 1_000_000
        made = now.to_bytes(6, "big") + bytes(9)
        return five.decide(hash_unit(bytes(32), "u-17"), now, made, None, (), known)

    return {
        "ours": lambda: five.decide(unit, at, tracking_id),
        "sticky unit": lambda: by_unit.decide(unit, at, tracking_id),
        "sticky decision": lambda: by_decision.decide(unit, at, tracking_id),
        "exclude one (cached)": lambda: five.decide(unit, at, tracking_id, None, ["arm-0"], known),
        "hash unit, id, clock": whole,
        "1,000 arms": lambda: many.decide(unit, at, tracking_id),
    }


def _slates() -> Iterator[Row]:
    """A bag of 12 slots: each request by itself, with arms left out, and for the first time."""
    at, unit, known = int(time.time() * 1000), hash_unit(bytes(32), "u-17"), frozenset[str]()
    tracking_id = at.to_bytes(6, "big") + bytes(9)
    makers = {ranking: slate_decider(MANY, SLOTS, ranking) for ranking in ("pooled", "slots")}
    works: dict[str, Callable[[], object]] = {}
    for ranking, one in makers.items():
        works[ranking] = partial(one.decide, unit, at, tracking_id)
        few = [f"arm-{number}" for number in range(0, MANY, 20)]
        works[f"{ranking}, exclude {len(few)} (cached)"] = partial(
            one.decide, unit, at, tracking_id, None, few, known
        )
    for work in works.values():
        work()
    times = cpu_micros(works)
    what = f"decide, bag of {SLOTS} slots, {MANY:,} arms"
    for name, micros in times.items():
        if "exclude" in name:
            yield Row(f"{what}, {name}", "µs CPU", micros)
        else:
            yield at_most(f"{what}, {name}", "µs CPU", micros, 10.0)
    for ranking, one in makers.items():
        places = sorted(set(range(MANY)) - set(range(0, MANY, 20)))
        first = cpu_micros({ranking: partial(one.snapshot.menu_among, places, SLOTS)}, rounds=3)
        yield Row(f"{what}, {ranking}, exclude 50 (first use)", "ms CPU", first[ranking] / 1e3)


def _peers() -> tuple[dict[str, Callable[[], object]], list[Skipped]]:
    """Bandits that have seen 100 trials an arm."""
    found, missing = peers(ARMS, seed=2)
    dice = random.Random(2)
    for bandit in found.values():
        for _ in range(100 * ARMS):
            bandit.learn(bandit.decide(), dice.random() < 0.1)
    return {name: bandit.decide for name, bandit in found.items()}, missing
