"""Kill anything: a real process under load, killed again and again, must count exactly.

CROUPIER_KILL_SECONDS lengthens the storm, CROUPIER_KILL_SEED repeats one.
"""

import json
import os
import random
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.ring.recount import (
    DataFile,
    Rules,
    decided_at,
    differences,
    pages,
    read_data,
    read_rules,
    thompson_weights,
)
from tests.ring.senders import Books, Key, Sender, Versions, wait_for
from tests.ring.server import Server

pytestmark = pytest.mark.kill

SECONDS = float(os.environ.get("CROUPIER_KILL_SECONDS", "35"))
SENDERS, LEAST_KILLS = 16, 12
WAYS = ("calm", "burst", "commit", "starting", "commit", "calm", "burst", "term")
BINARY = ("button", "again")
TOML = """
[[experiment]]
name = "button"
arms = ["install", "free-trial", "see-recipes"]
default = "install"
reward = { click = 1.0 }
expose_within = "1s"
window = "1s"
lateness = "500ms"
session = "none"
refresh = "500ms"
period = "20s"

[[experiment]]
name = "again"
arms = ["left", "right"]
default = "left"
reward = { click = 1.0 }
expose_within = "700ms"
window = "300ms"
lateness = "200ms"
session = "1s"
refresh = "500ms"

[[experiment]]
name = "banner"
arms = ["a", "b", "c", "d", "e"]
default = "c"
reward = { click = 1.0, enrol = { weight = 5.0, cap = 2 }, share = { weight = -0.25, cap = 3 } }
expose_within = "500ms"
window = "2s"
lateness = "1s"
session = "1100ms"
refresh = "500ms"
period = "7s"

[[experiment]]
name = "shop"
arms = ["small", "large", "none"]
default = "none"
reward = { purchase = { weight = 0.01, of = "value", max = 50 }, click = 0.1 }
expose_within = "2s"
window = "3s"
lateness = "500ms"
session = "1500ms"
sticky = "unit"
refresh = "500ms"

[[experiment]]
name = "held"
arms = ["old", "new"]
default = "old"
reward = { click = 1.0 }
policy = { kind = "epsilon_greedy", epsilon = 0.2 }
expose_within = "500ms"
window = "500ms"
lateness = "300ms"
session = "900ms"
holdout = 0.3
refresh = "500ms"

[[experiment]]
name = "each"
arms = ["one", "two", "three", "four"]
default = "four"
reward = { click = { weight = 0.5, cap = 2 } }
policy = { kind = "uniform" }
expose_within = "300ms"
window = "300ms"
lateness = "300ms"
session = "none"
sticky = "decision"
refresh = "500ms"
"""


class Storm(NamedTuple):
    """All that a storm left behind."""

    seed: int
    rules: dict[str, Rules]
    deaths: list[tuple[str, float]]
    exits: list[int]
    books: list[Books]
    pages: dict[str, dict[str, Any]]
    data: DataFile
    unit_key: bytes
    log: str

    def tell(self, problems: list[str]) -> str:
        """What to print when something is wrong."""
        deaths = ", ".join(f"{way} at {at:.2f} s" for way, at in self.deaths)
        head = f"CROUPIER_KILL_SEED={self.seed}; deaths: {deaths}\n{len(problems)} problems:\n"
        return head + "\n".join(problems[:20])


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    seed = int(os.environ.get("CROUPIER_KILL_SEED", random.randrange(10**6)))
    print(f"\nCROUPIER_KILL_SEED={seed}")
    server = Server(tmp_path_factory.mktemp("storm"), TOML)
    try:
        yield _storm(server, seed)
    finally:
        server.close()


def _storm(server: Server, seed: int) -> Storm:
    rules, burst, stop = read_rules(TOML), threading.Event(), threading.Event()
    versions = Versions()
    senders = [
        Sender(number, seed, server.port, rules, versions, burst, stop) for number in range(SENDERS)
    ]
    server.start(saving=True)
    for sender in senders:
        sender.start()
    started = time.monotonic()
    deaths, exits = _kill_for(SECONDS, server, random.Random(seed), burst)
    stop.set()
    for sender in senders:
        sender.join(timeout=60)
        assert not sender.is_alive(), f"{sender.name} has no answer\n{server.tail()}"
    for few in (200, 60, 15):
        wait_for(lambda few=few: _open(server, rules) <= few, 60, "stories stay open")  # type: ignore[misc]
        server.kill()
        deaths.append(("quiet", time.monotonic() - started))
        server.start(saving=True)
    _settle(server, rules)
    for sender in senders:
        sender.show_again(share=0.05)
    server.kill()
    deaths.append(("settled", time.monotonic() - started))
    server.start()
    answers = _settle(server, rules)
    server.kill()
    for sender in senders:
        if sender.error is not None:
            raise sender.error
    keys = json.loads(Path(f"{server.data}.keys").read_text())
    return Storm(
        seed,
        rules,
        deaths,
        exits,
        [sender.books for sender in senders],
        answers,
        read_data(server.data),
        bytes.fromhex(keys["unit"]),
        server.log.read_text(errors="replace"),
    )


def _kill_for(
    seconds: float, server: Server, dice: random.Random, burst: threading.Event
) -> tuple[list[tuple[str, float]], list[int]]:
    """Kill and restart, by all ways in turn, for so long and at least LEAST_KILLS times."""
    started, deaths, exits = time.monotonic(), list[tuple[str, float]](), list[int]()
    ways: list[str] = []
    while time.monotonic() - started < seconds or len(deaths) - len(exits) < LEAST_KILLS:
        ways = ways or dice.sample(WAYS, len(WAYS))
        way = ways.pop()
        time.sleep(dice.uniform(0.5, 4 if way == "calm" else 2))
        if way in {"burst", "commit"}:
            burst.set()
            time.sleep(dice.uniform(0, 0.3))
        if way == "commit":
            _await_write(server.wal)
            time.sleep(dice.choice([0, 0, 0.0005, 0.002]))
        if way == "term":
            exits.append(server.terminate())
        else:
            server.kill()
        burst.clear()
        deaths.append((way, time.monotonic() - started))
        if way == "starting":
            server.spawn(saving=dice.random() < 0.5)
            time.sleep(dice.uniform(0.1, 1.8))
            server.kill()
            deaths.append(("started", time.monotonic() - started))
        server.start(saving=dice.random() < 0.5)
    return deaths, exits


def _await_write(file: Path) -> None:
    """Return as soon as the file is written to: a transaction is on its way to the disk."""
    before, deadline = file.stat().st_mtime_ns, time.monotonic() + 1
    while file.stat().st_mtime_ns == before and time.monotonic() < deadline:
        pass


def _settle(server: Server, rules: dict[str, Rules]) -> dict[str, dict[str, Any]]:
    """Wait until every story has closed and what was learned is published; the pages."""
    answers: dict[str, dict[str, Any]] = {}

    def closed() -> bool:
        for name in rules:
            status, answers[name] = server.ask(f"/v1/experiments/{name}")
            assert status == 200, server.tail()
        return not any(answer["open"] for answer in answers.values())

    wait_for(closed, 60, f"stories stay open\n{server.tail()}")
    time.sleep(1.5)
    status, health = server.ask("/healthz")
    assert status == 200, f"{health}\n{server.tail()}"
    assert closed(), "a closed story has opened again"
    return answers


def _open(server: Server, rules: dict[str, Rules]) -> int:
    return sum(server.ask(f"/v1/experiments/{name}")[1]["open"] for name in rules)


# --- what must hold -------------------------------------------------------------------------------


def test_the_storm_was_a_storm(storm: Storm) -> None:
    kills = Counter(way for way, _ in storm.deaths)
    batches = [batch for books in storm.books for batch in books.batches]
    statuses = sum((books.statuses for books in storm.books), Counter[str]())
    records = sum(1 for _, event in storm.data.events if event["type"] == "event")
    wasted = sum(batch.tries > 1 for batch in batches)
    print(f"\n{kills.total()} deaths {dict(kills)}, {records} records in the log")
    print(f"{wasted} of {len(batches)} batches were sent again; {dict(statuses)}")
    print({name: page["observations"] for name, page in storm.pages.items()})
    print({name: page["late"] for name, page in storm.pages.items()})
    assert kills.total() - kills["term"] >= LEAST_KILLS
    assert kills["term"] >= 1
    assert all(page["observations"] > 100 for page in storm.pages.values())
    assert all(page["late"] > 50 for page in storm.pages.values())
    assert storm.pages["held"]["holdout"]["n"] > 20
    assert wasted > 50


def test_no_answer_broke_the_contract(storm: Storm) -> None:
    problems = [wrong for books in storm.books for wrong in books.wrong]
    assert not problems, storm.tell(problems)


def test_a_graceful_stop_exits_with_0(storm: Storm) -> None:
    assert storm.exits == [0] * len(storm.exits), storm.tell([f"exit codes {storm.exits}"])


def test_no_server_had_anything_to_complain_of(storm: Storm) -> None:
    bad = (" WARNING ", " ERROR ", " CRITICAL ", "Traceback", "Exception")
    problems = [line for line in storm.log.splitlines() if any(word in line for word in bad)]
    assert not problems, storm.tell(problems)


def test_what_was_acknowledged_is_in_the_log_and_nothing_else(storm: Storm) -> None:
    sent, acknowledged = _sent(storm)
    logged, nameless = Counter[Key](), Counter[tuple[str, bytes]]()
    known = {answer.tracking_id for books in storm.books for answer in books.answers}
    for event in _events(storm):
        decision, key = event["decision"], _key(event)
        if key[0] in known:
            logged[key] += 1
        else:
            assert event["kind"] == "impression", f"of a decision that nobody knows: {event}"
            nameless[decision["experiment"], decision["unit"]] += 1
    unanswered = Counter[tuple[str, bytes]]()
    for books in storm.books:
        for (experiment, unit), times in books.unanswered.items():
            unanswered[experiment, _hashed(storm, unit)] += times
    problems = [
        *_excess("lost: acknowledged, not in the log", acknowledged - logged),
        *_excess("invented: in the log, not sent", logged - sent),
        *_excess("invented: exposures that nobody asked for", nameless - unanswered),
    ]
    assert not problems, storm.tell(problems)


def test_the_log_says_of_decisions_what_was_answered(storm: Storm) -> None:
    answers = {a.tracking_id: a for books in storm.books for a in books.answers}
    snapshots = {
        (name, one["version"]): dict(zip(one["names"], one["weights"], strict=True))
        for name, many in storm.data.snapshots.items()
        for one in many
    }
    problems = []
    for event in _events(storm):
        decision = event["decision"]
        name, tracking_id = decision["experiment"], decision["tracking_id"].hex()
        answer = answers.get(tracking_id)
        if answer is None:
            continue
        arm = storm.data.arm_sets[name][answer.arm]
        reason, share = answer.reason, _float32(answer.propensity)
        told = [name, [arm], [share], answer.version, reason, _hashed(storm, answer.unit)]
        logged = [decision[field] for field in ("experiment", "slate", "propensities", "snapshot")]
        logged += [decision.get("reason", "policy"), decision["unit"]]
        if told != logged:
            problems.append(f"{tracking_id}: answered {told}, logged {logged}")
        published = 1.0 if reason == "holdout" else snapshots[name, answer.version][answer.arm]
        if not answer.excluded and published != answer.propensity:
            problems.append(f"{tracking_id}: {answer.propensity} drawn, {published} published")
    assert not problems, storm.tell(problems)


def test_event_times_are_what_was_said_within_bounds(storm: Storm) -> None:
    said: dict[Key, set[int | None]] = {}
    for books in storm.books:
        for key, times in books.at.items():
            said.setdefault(key, set()).update(times)
    exposed = {tid for books in storm.books for tid in [*books.exposed, *books.maybe_exposed]}
    problems, last = [], 0
    for stamp, event in storm.data.events:
        if stamp < last:
            problems.append(f"stamp {stamp} after {last}")
        last = stamp
        if event["type"] != "event" or _key(event) not in said:
            continue
        at, decided = event["at"], decided_at(event["decision"]["tracking_id"])
        times = said[_key(event)]
        free = None in times or any(time > decided for time in times if time)
        exactly = {max(time, decided) for time in times if time}
        if event["kind"] == "impression" and _key(event)[0] in exposed:
            exactly.add(decided)
        if not (at in exactly or (free and decided <= at <= stamp)):
            problems.append(f"{_key(event)} at {at}, said {times}, stamped {stamp}")
    assert not problems, storm.tell(problems)


def test_what_was_learned_is_what_the_log_amounts_to(storm: Storm) -> None:
    problems = differences(storm.data, storm.rules)
    assert not problems, storm.tell(problems)


def test_the_pages_show_it(storm: Storm) -> None:
    problems = []
    for name, wanted in pages(storm.data, storm.rules).items():
        page = storm.pages[name]
        shown = {key: page[key] for key in ("observations", "not_learned", "late", "open")}
        shown["arms"] = [(arm["arm"], arm["n"], arm["reward_sum"]) for arm in page["arms"]]
        shown["holdout"] = page["holdout"]["n"], page["holdout"]["reward_sum"]
        problems += [
            f"{name}: {key}: {shown[key]}, recomputed {wanted[key]}"
            for key in wanted
            if shown[key] != wanted[key]
        ]
    assert not problems, storm.tell(problems)


@pytest.mark.parametrize("name", BINARY)
def test_the_last_weights_are_the_chance_of_each_arm_to_be_best(storm: Storm, name: str) -> None:
    page = pages(storm.data, storm.rules)[name]
    wanted = thompson_weights(
        [n for _, n, _ in page["arms"]], [round(reward) for _, _, reward in page["arms"]]
    )
    shown = [arm["weight"] for arm in storm.pages[name]["arms"]]
    assert shown == pytest.approx(wanted, abs=1e-6), storm.tell([f"{page}"])
    assert sum(shown) == pytest.approx(1, abs=1e-9)
    last = storm.data.snapshots[name][-1]
    assert last["version"] == storm.pages[name]["version"]
    assert last["weights"] == shown


def test_every_snapshot_moves_forward(storm: Storm) -> None:
    for name, many in storm.data.snapshots.items():
        assert [one["version"] for one in many] == list(range(1, len(many) + 1)), name
        for field in ("at", "watermark"):
            values = [one[field] for one in many]
            assert values == sorted(values), f"{name}: {field} goes back"


def _sent(storm: Storm) -> tuple[Counter[Key], Counter[Key]]:
    """How often each record was sent at all, and how often that was acknowledged."""
    sent, acknowledged = Counter[Key](), Counter[Key]()
    for books in storm.books:
        for batch in books.batches:
            for key in (report.key for report in batch.reports if report.key is not None):
                sent[key] += batch.tries
                acknowledged[key] += batch.answers
        for tracking_id, times in books.exposed.items():
            sent[_exposure(tracking_id)] += times
            acknowledged[_exposure(tracking_id)] += times
        for tracking_id, times in books.maybe_exposed.items():
            sent[_exposure(tracking_id)] += times
    return sent, acknowledged


def _events(storm: Storm) -> Iterator[dict[str, Any]]:
    return (event for _, event in storm.data.events if event["type"] == "event")


def _key(event: dict[str, Any]) -> Key:
    tracking_id = event["decision"]["tracking_id"].hex()
    return tracking_id, event["kind"], event.get("id", ""), event.get("value", 0)


def _exposure(tracking_id: str) -> Key:
    return tracking_id, "impression", "", 0


def _hashed(storm: Storm, unit: str) -> bytes:
    return blake2b(unit.encode(), key=storm.unit_key, digest_size=16).digest()


def _float32(share: float) -> float:
    return float(struct.unpack(">f", struct.pack(">f", share))[0])


def _excess(what: str, many: Counter[Any]) -> list[str]:
    examples = "".join(f"\n  {one} ×{times}" for one, times in list(many.items())[:6])
    return [f"{what}: {many.total()}{examples}"] if many else []
