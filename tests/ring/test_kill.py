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
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.ring.owners import Owner, after
from tests.ring.recount import (
    DataFile,
    Drawn,
    Rules,
    decided_at,
    differences,
    drawn_from,
    pages,
    read_data,
    read_rules,
    thompson_weights,
)
from tests.ring.senders import SPARE, Answer, Books, Key, Sender, Versions, wait_for
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
surrogate.click = { mean = 0.3, covariance = { click = 0.01, enrol = -0.02 } }
surrogate.enrol = { mean = 0.1, covariance = { click = -0.02, enrol = 0.4 } }
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

[[experiment]]
name = "row"
slots = 3
arms = ["r0", "r1", "r2", "r3", "r4", "r5"]
default = ["r0", "r1", "r2"]
reward = { click = 1.0, purchase = { weight = 0.01, of = "value", max = 50 } }
bag = 256
expose_within = "700ms"
window = "1s"
lateness = "500ms"
session = "1200ms"
holdout = 0.15
refresh = "500ms"
period = "9s"

[[experiment]]
name = "rail"
slots = 2
ranking = "slots"
arms = ["l0", "l1", "l2", "l3", "l4", "l5", "l6"]
default = ["l3", "l1"]
reward = { click = 1.0 }
bag = 128
expose_within = "500ms"
window = "1s"
lateness = "300ms"
session = "1s"
sticky = "unit"
holdout = 0.2
refresh = "500ms"
"""


class Storm(NamedTuple):
    """All that a storm left behind."""

    seed: int
    rules: dict[str, Rules]
    deaths: list[tuple[str, float]]
    exits: list[int]
    books: list[Books]
    owners: list[Owner]
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
    owners = [Owner(name, seed, server.port, rules[name], stop) for name in SPARE]
    server.start(saving=True)
    for each in (*senders, *owners):
        each.start()
    started = time.monotonic()
    deaths, exits = _kill_for(SECONDS, server, random.Random(seed), burst)
    stop.set()
    callers: list[Sender | Owner] = [*senders, *owners]
    for caller in callers:
        caller.join(timeout=60)
        assert not caller.is_alive(), f"{caller.name} has no answer\n{server.tail()}"
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
    for caller in callers:
        if caller.error is not None:
            raise caller.error
    keys = json.loads(Path(f"{server.data}.keys").read_text())
    return Storm(
        seed,
        rules,
        deaths,
        exits,
        [sender.books for sender in senders],
        owners,
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
    problems = []
    for event in _events(storm):
        decision = event["decision"]
        name, tracking_id = decision["experiment"], decision["tracking_id"].hex()
        answer = answers.get(tracking_id)
        if answer is None:
            continue
        arms = [storm.data.arm_sets[name][arm] for arm in answer.arms]
        shares = [_float32(share) for share in answer.propensities]
        told = [name, arms, shares, answer.version, answer.reason, _hashed(storm, answer.unit)]
        told.append(list(answer.inclusions))
        logged = [decision[field] for field in ("experiment", "slate", "propensities", "snapshot")]
        logged += [decision.get("reason", "policy"), decision["unit"]]
        logged.append(decision.get("inclusions", []))
        if told != logged:
            problems.append(f"{tracking_id}: answered {told}, logged {logged}")
    assert not problems, storm.tell(problems)


def test_answers_are_drawn_from_what_was_published(storm: Storm) -> None:
    """Shares are those of the snapshot that is named; arms are of it, as many as there can be."""
    snapshots = {
        (name, one["version"]): one for name, many in storm.data.snapshots.items() for one in many
    }
    counted: dict[tuple[str, int], Drawn] = {}
    kinds, problems = Counter[str](), []
    for answer in (answer for books in storm.books for answer in books.answers):
        place, rules = (answer.experiment, answer.version), storm.rules[answer.experiment]
        one = snapshots[place]
        allowed = [name for name in one["names"] if answer.permits(name)]
        wanted = min(rules.slots, len(allowed))
        if len(answer.arms) != wanted or not set(answer.arms) <= set(allowed):
            problems.append(f"{answer}: expected {wanted} of {allowed}")
        restricted = answer.eligible is not None or answer.exclude
        kinds[f"{answer.reason}{' restricted' * bool(restricted)}"] += 1
        problems += _wrongly_pinned(answer, one, storm.data.arm_sets[answer.experiment])
        if answer.reason == "holdout" and set(rules.default) <= set(allowed):
            shown = answer.arms, set(answer.propensities + answer.inclusions)
            if shown != (tuple(rules.default), {1.0}):
                problems.append(f"{answer}: held out, not shown the default")
        elif answer.reason == "policy" and not restricted:
            drawn = counted.setdefault(place, drawn_from(one, rules))
            problems += _shared_otherwise(answer, one["names"], drawn)
    print(f"\n{dict(kinds)}")
    assert kinds["pinned"] > 20, kinds
    assert kinds["holdout"] > 20, kinds
    assert not problems, storm.tell(problems)


@pytest.mark.parametrize("name", SPARE)
def test_arms_are_what_their_owner_was_told(storm: Storm, name: str) -> None:
    """Sent one after the other until each is answered: so the log must hold just these."""
    (owner,) = (owner for owner in storm.owners if owner.experiment == name)
    done = Counter(change for change, _ in owner.made)
    print(f"\n{name}: {dict(done)}, {owner.refused} refused, {owner.tries} tries")
    assert {"put", "pause", "resume", "pin"} <= set(done)
    assert not owner.wrong, storm.tell(owner.wrong)
    history = storm.data.arm_history[name]
    assert [one["version"] for one in history] == list(range(1, len(history) + 1))
    assert [each for each, _ in groupby(map(after, history))] == [
        each for each, _ in groupby(owner.course)
    ]


@pytest.mark.parametrize("name", SPARE)
def test_a_snapshot_holds_the_arms_of_its_time(storm: Storm, name: str) -> None:
    """Those of a version no older than any that was answered before, or than the last one's."""
    (owner,) = (owner for owner in storm.owners if owner.experiment == name)
    history = [after(one) for one in storm.data.arm_history[name]]
    oldest, problems = 1, []
    for one in storm.data.snapshots[name]:
        oldest = max([oldest, *(version for at, version in owner.answered if at < one["at"])])
        shown = {**dict.fromkeys(one["names"], "active")}, one.get("pinned")
        fits = [
            version
            for version, (statuses, pinned) in enumerate(history, start=1)
            if version >= oldest
            and shown == ({n: s for n, s in statuses.items() if s == "active"}, pinned)
        ]
        if not fits:
            problems.append(
                f"snapshot {one['version']} shows {shown}, arms were {history[oldest - 1]}"
            )
            continue
        oldest = fits[0]
    last = storm.data.snapshots[name][-1]
    statuses, pinned = history[-1]
    assert not problems, storm.tell(problems)
    assert set(last["names"]) == {name for name, status in statuses.items() if status == "active"}
    assert last.get("pinned") == pinned


def test_event_times_are_what_was_said_within_bounds(storm: Storm) -> None:
    said: dict[Key, set[int | None]] = {}
    for books in storm.books:
        for key, times in books.at.items():
            said.setdefault(key, set()).update(times)
    exposed = {key for books in storm.books for key in [*books.exposed, *books.maybe_exposed]}
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
        if _key(event) in exposed:
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
        sent += books.exposed + books.maybe_exposed
        acknowledged += books.exposed
    return sent, acknowledged


def _events(storm: Storm) -> Iterator[dict[str, Any]]:
    return (event for _, event in storm.data.events if event["type"] == "event")


def _key(event: dict[str, Any]) -> Key:
    tracking_id = event["decision"]["tracking_id"].hex()
    slot = event.get("slot", 0)
    return tracking_id, event["kind"], slot, event.get("id", ""), event.get("value", 0)


def _hashed(storm: Storm, unit: str) -> bytes:
    return blake2b(unit.encode(), key=storm.unit_key, digest_size=16).digest()


def _float32(share: float) -> float:
    return float(struct.unpack(">f", struct.pack(">f", share))[0])


def _shared_otherwise(answer: Answer, names: list[str], drawn: Drawn) -> list[str]:
    """Where an answer says other shares than the snapshot amounts to."""
    places = [names.index(arm) for arm in answer.arms]
    wanted = [drawn.shares[place][slot] for slot, place in enumerate(places)]
    included = [_float32(min(drawn.included[place], 1.0)) for place in places]
    right = answer.propensities == pytest.approx(wanted, abs=1e-12)
    if answer.inclusions:
        right = right and answer.inclusions == pytest.approx(included, abs=1e-7)
    return [] if right else [f"{answer}: published were {wanted} and {included}"]


def _wrongly_pinned(answer: Answer, one: dict[str, Any], numbers: dict[str, int]) -> list[str]:
    """Where a pin was not followed, or followed after its end."""
    pinned = next((name for name, number in numbers.items() if number == one.get("pinned")), None)
    until = one.get("pinned_until", 0)
    at = decided_at(bytes.fromhex(answer.tracking_id))
    stands = pinned is not None and answer.permits(pinned) and not (until and at >= until)
    if answer.reason in {"holdout", "default"} or stands == (answer.reason == "pinned"):
        first = answer.reason == "pinned"
        return [f"{answer}: {pinned} is pinned"] if first and answer.arms[0] != pinned else []
    return [f"{answer}: {pinned} was pinned until {until}"]


def _excess(what: str, many: Counter[Any]) -> list[str]:
    examples = "".join(f"\n  {one} ×{times}" for one, times in list(many.items())[:6])
    return [f"{what}: {many.total()}{examples}"] if many else []
