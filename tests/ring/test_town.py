"""Kill anything of a distributed ring: processes, brokers, databases; what is counted is exact.

CROUPIER_TOWN_ROUNDS repeats the scenario of troubles so often (for hours, if you like),
CROUPIER_TOWN_SEED repeats one.
"""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from croupier.config.services import Services
from tests.ring import test_kill as embedded
from tests.ring.mortal import POINTS
from tests.ring.owners import Owner
from tests.ring.recount import DataFile, Rules, differences, read_rules, thompson_weights
from tests.ring.senders import SPARE, Sender, wait_for
from tests.ring.server import HOST
from tests.ring.test_kill import TOML, Storm
from tests.ring.town import Process, Town
from tests.ring.town_log import Place, place_of, read_topic, read_town
from tests.ring.townspeople import TownOwner, TownVersions, callers
from tests.services.fixtures import Running
from tests.services.servers import Kafka, Postgres, Redis
from tests.services.service import Service

pytestmark = pytest.mark.services

ROUNDS = int(os.environ.get("CROUPIER_TOWN_ROUNDS", "1"))
SENDERS, SERVERS, PARTITIONS = 6, 2, 3
SETTLE_SECONDS = 300.0

Trouble = Callable[[], None]


class Troubles:
    """What may go wrong, each by its name; each is over, and made good, when it returns."""

    def __init__(
        self,
        town: Town,
        servers: dict[type[Service], Service],
        versions: list[TownVersions],
        dice: random.Random,
    ) -> None:
        self._town, self._dice, self._versions = town, dice, versions
        self.all: dict[str, Trouble] = {
            "kill serve": self._kill_a_server,
            "kill join": lambda: self._kill(dice.choice(town.joins)),
            "kill observe": lambda: self._kill(dice.choice(town.observes)),
            "kill learn": lambda: self._kill(town.learn),
            "end join": lambda: self._kill(dice.choice(town.joins), signal.SIGTERM),
            "end learn": lambda: self._kill(town.learn, signal.SIGTERM),
            "hang join": lambda: self._hang(dice.choice(town.joins)),
            "kill everything behind": self._kill_everything_behind,
            "flush redis": lambda: self._ask_redis(servers[Redis].port, b"FLUSHALL"),
        }
        for point in POINTS:
            self.all[f"learn dies {point}"] = lambda point=point: self._die(point)  # type: ignore[misc]
        for kind, service in servers.items():
            self.all[f"kill {kind.name}"] = lambda one=service: self._restart(one, Service.kill)  # type: ignore[misc]
            self.all[f"stop {kind.name}"] = lambda one=service: self._restart(one, Service.stop)  # type: ignore[misc]
            self.all[f"pause {kind.name}"] = lambda one=service: self._pause(one)  # type: ignore[misc]

    def shuffled(self) -> list[str]:
        """All of them in some order; in the short form without the gentlest."""
        names = [name for name in self.all if ROUNDS > 1 or not name.startswith("stop ")]
        return self._dice.sample(sorted(names), len(names))

    def _kill(self, process: Process, sign: signal.Signals = signal.SIGKILL) -> None:
        code = process.end(sign)
        assert code == (-sign if sign == signal.SIGKILL else 0), f"{process.name}: {code}"
        time.sleep(self._dice.uniform(0, 1))
        process.start()

    def _kill_a_server(self) -> None:
        number = self._dice.randrange(SERVERS)
        server = self._town.servers[number]
        server.end()
        time.sleep(0.5)
        self._versions[number].forget()
        server.start()

    def _kill_everything_behind(self) -> None:
        behind = [self._town.learn, *self._town.joins, *self._town.observes]
        for process in behind:
            process.end()
        for process in behind:
            process.spawn()
        for process in behind:
            process.wait()

    def _die(self, point: str) -> None:
        """learn, killed by itself at this point of the next commit that it makes."""
        learn = self._town.learn
        learn.end()
        learn.spawn(point)
        assert learn.await_end() == -signal.SIGKILL, learn.tail()
        learn.start()

    def _hang(self, process: Process) -> None:
        process.send(signal.SIGSTOP)
        time.sleep(self._dice.uniform(1, 3))
        process.send(signal.SIGCONT)

    def _restart(self, service: Service, end: Callable[[Service], None]) -> None:
        end(service)
        time.sleep(self._dice.uniform(0, 1))
        service.start()

    def _pause(self, service: Service) -> None:
        service.pause()
        time.sleep(self._dice.uniform(2, 4))
        service.resume()

    @staticmethod
    def _ask_redis(port: int, words: bytes) -> None:
        with socket.create_connection((HOST, port), 5) as one:
            one.sendall(words + b"\r\n")
            assert one.recv(100) == b"+OK\r\n"


@pytest.fixture(scope="module")
def servers(running: Running) -> dict[type[Service], Service]:
    """Always our own: they are killed."""
    return {kind: running(kind) for kind in (Kafka, Postgres, Redis)}


def named(servers: dict[type[Service], Service], name: str) -> Services:
    return Services(
        f"{servers[Kafka].url}/{name}?partitions={PARTITIONS}",
        f"{servers[Postgres].url}?schema={name}",
        f"{servers[Redis].url}?prefix={name}",
    )


@pytest.fixture(scope="module")
def storm(
    servers: dict[type[Service], Service], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Storm]:
    seed = int(os.environ.get("CROUPIER_TOWN_SEED", random.randrange(10**6)))
    print(f"\nCROUPIER_TOWN_SEED={seed}")
    folder = tmp_path_factory.mktemp("town")
    town = Town(folder, TOML, named(servers, f"storm{os.getpid()}"), SERVERS)
    try:
        yield _storm(town, servers, seed)
    finally:
        town.close()


def _storm(town: Town, servers: dict[type[Service], Service], seed: int) -> Storm:
    rules, burst, stop = read_rules(TOML), threading.Event(), threading.Event()
    dice, place = random.Random(seed), place_of(town.services.log, town.services.states)
    versions = [TownVersions() for _ in range(SERVERS)]
    ports = [server.port for server in town.servers]
    senders = callers(SENDERS, seed, ports, rules, versions, (burst, stop))
    owners = [TownOwner(name, seed, ports, rules[name], stop) for name in SPARE]
    town.start()
    everybody: list[Sender | Owner] = [*senders, *owners]
    for each in everybody:
        each.start()
    began, troubles = time.monotonic(), Troubles(town, servers, versions, dice)
    deaths: list[tuple[str, float]] = []
    time.sleep(3)
    for _ in range(ROUNDS):
        for name in troubles.shuffled():
            deaths.append((name, time.monotonic() - began))
            _with_tails(town, deaths, troubles.all[name])
            time.sleep(dice.uniform(0, 1))
            town.check()
    stop.set()
    for each in everybody:
        each.join(timeout=SETTLE_SECONDS)
        assert not each.is_alive(), f"{each.name} has no answer\n{town.tails()}"
        if each.error is not None:
            raise each.error
    _settle(town, place, rules)
    for sender in senders:
        sender.show_again(share=0.03)
    _settle(town, place, rules)
    answers = {name: ask(ports[0], f"/v1/experiments/{name}")[1] for name in rules}
    codes = [process.end(signal.SIGTERM) for process in town.processes]
    for owner in owners:
        owner.answered.clear()  # a change is on the log at once, and in a snapshot a second later
    unit_key = bytes.fromhex(json.loads(town.keys.read_text())["unit"])
    books = [sender.books for sender in senders]
    data = read_town(place)
    return Storm(seed, rules, deaths, codes, books, [*owners], answers, data, unit_key, "")


def _with_tails(town: Town, deaths: list[tuple[str, float]], trouble: Trouble) -> None:
    try:
        trouble()
    except AssertionError as error:
        raise AssertionError(f"{deaths}: {error}\n{town.tails()}") from error


def _settle(town: Town, place: Place, rules: dict[str, Rules]) -> None:
    """Return when the numbers agree with the log, and each server shows the newest snapshots."""
    problems: list[str] = ["nothing was looked at"]

    def agreed() -> bool:
        town.check()
        if any(page(server.port, name)["open"] for server in town.servers for name in rules):
            problems[:] = ["stories are open"]
            return False
        problems[:] = differences(read_town(place), rules) or _unshown(town, place)
        return not problems

    deadline = time.monotonic() + SETTLE_SECONDS
    while not agreed():
        assert time.monotonic() < deadline, "\n".join([*problems, town.tails()])
        time.sleep(0.5)


def _unshown(town: Town, place: Place) -> list[str]:
    newest = {name: many[-1]["version"] for name, many in read_town(place).snapshots.items()}
    return [
        f"{server.name} shows {name} {shown}, published is {version}"
        for server in town.servers
        for name, version in newest.items()
        if (shown := page(server.port, name)["version"]) != version
    ]


def ask(port: int, path: str, body: Any = None) -> tuple[int, Any]:
    """GET, or POST a body; status and JSON."""
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    try:
        text = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, text)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def page(port: int, name: str) -> Any:
    """What a server tells of an experiment; it must tell."""
    status, answer = ask(port, f"/v1/experiments/{name}")
    assert status == 200, answer
    return answer


# --- what must hold: word for word as for one process and its file --------------------------------

test_no_answer_broke_the_contract = embedded.test_no_answer_broke_the_contract
test_a_graceful_stop_exits_with_0 = embedded.test_a_graceful_stop_exits_with_0
test_what_was_acknowledged_is_in_the_log_and_nothing_else = (
    embedded.test_what_was_acknowledged_is_in_the_log_and_nothing_else
)
test_the_log_says_of_decisions_what_was_answered = (
    embedded.test_the_log_says_of_decisions_what_was_answered
)
test_answers_are_drawn_from_what_was_published = (
    embedded.test_answers_are_drawn_from_what_was_published
)
test_arms_are_what_their_owner_was_told = embedded.test_arms_are_what_their_owner_was_told
test_a_snapshot_holds_the_arms_of_its_time = embedded.test_a_snapshot_holds_the_arms_of_its_time
test_event_times_are_what_was_said_within_bounds = (
    embedded.test_event_times_are_what_was_said_within_bounds
)
test_what_was_learned_is_what_the_log_amounts_to = (
    embedded.test_what_was_learned_is_what_the_log_amounts_to
)
test_the_pages_show_it = embedded.test_the_pages_show_it
test_the_last_weights_are_the_chance_of_each_arm_to_be_best = (
    embedded.test_the_last_weights_are_the_chance_of_each_arm_to_be_best
)
test_every_snapshot_moves_forward = embedded.test_every_snapshot_moves_forward


def test_the_storm_was_a_storm(storm: Storm) -> None:
    records = sum(1 for _, event in storm.data.events if event["type"] == "event")
    statuses = sum((books.statuses for books in storm.books), Counter[str]())
    print(f"\n{len(storm.deaths)} troubles, {storm.deaths[-1][1]:.0f} s; {records} records")
    print({name: page["observations"] for name, page in storm.pages.items()})
    print({name: page["late"] for name, page in storm.pages.items()})
    print(dict(statuses))
    assert records > 1_000
    assert all(page["observations"] > 20 for page in storm.pages.values())


# --- by mistake -----------------------------------------------------------------------------------

SMALL = """
[[experiment]]
name = "small"
arms = ["a", "b"]
default = "a"
reward = { click = 1.0 }
expose_within = "1s"
window = "1s"
lateness = "1s"
session = "none"
refresh = "500ms"
"""


@pytest.fixture(scope="module")
def small(
    servers: dict[type[Service], Service], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Town]:
    """One town for these tests, an experiment for each."""
    toml = "".join(SMALL.replace('"small"', f'"{name}"') for name in ("arms", "windows", "twins"))
    folder = tmp_path_factory.mktemp("small")
    town = Town(folder, toml, named(servers, f"small{os.getpid()}"), SERVERS)
    try:
        town.start()
        yield town
    finally:
        town.close()


def visit(port: int, times: int, name: str) -> None:
    """So many decisions, each seen at once; each second one is clicked."""
    for number in range(times):
        status, said = ask(
            port, f"/v1/experiments/{name}/decide", {"unit": f"{number}", "exposed": True}
        )
        assert status == 200, said
        assert said["exposed"] is True
        if number % 2:
            click = {"kind": "click", "token": said["token"]}
            assert ask(port, "/v1/events", [click])[0] == 202


def only(data: DataFile, name: str) -> DataFile:
    """What belongs to one experiment."""

    def of(one: Any) -> bool:
        return bool(one.get("experiment", one.get("decision", {}).get("experiment")) == name)

    return data._replace(
        events=[event for event in data.events if of(event[1])],
        funnels=list(filter(of, data.funnels)),
        observations=list(filter(of, data.observations)),
        sums={key: sums for key, sums in data.sums.items() if key[0] == name},
        counts={key: count for key, count in data.counts.items() if key[0] == name},
        late=Counter({key: count for key, count in data.late.items() if key[0] == name}),
    )


def put_arms(server: Process, many: int, wrong: list[Any]) -> None:
    for number in range(many):
        body = {"change": "put", "arm": f"{server.name}-{number}"}
        while (answer := ask(server.port, "/v1/experiments/arms/arms", body))[0] == 503:
            pass
        if answer[0] != 200:
            wrong.append(answer)


def test_arms_changed_at_two_servers_at_once_are_all_changed(small: Town) -> None:
    many, wrong = 12, list[Any]()
    putting = [
        threading.Thread(target=put_arms, args=(server, many, wrong)) for server in small.servers
    ]
    for each in putting:
        each.start()
    for each in putting:
        each.join()
    assert not wrong
    wanted = {f"{server.name}-{number}" for server in small.servers for number in range(many)}
    place = place_of(small.services.log, small.services.states)
    history = read_town(place).arm_history["arms"]
    assert {arm["name"] for arm in history[-1]["arms"]} == wanted | {"a", "b"}
    steps = [len(after["arms"]) - len(before["arms"]) for before, after in pairwise(history)]
    assert steps == [1] * (2 * many)
    for server in small.servers:
        told = ask(server.port, "/v1/experiments/arms/arms")[1]
        assert [one["version"] for one in told] == list(range(1, len(history) + 1))


def test_commands_that_look_read_what_the_town_holds(small: Town, tmp_path: Path) -> None:
    visit(small.servers[0].port, 10, "arms")
    wait_for(
        lambda: page(small.servers[0].port, "arms")["observations"] >= 10,
        SETTLE_SECONDS,
        small.tails(),
    )
    services = small.services
    urls = ["--log", services.log, "--states", services.states]

    def croupier(*arguments: str) -> tuple[int, dict[str, Any]]:
        command = [sys.executable, "-m", "croupier", *arguments, *urls, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    code, found = croupier("doctor", "--cache", services.cache)
    names = [one["what"] for one in found["checks"]]
    assert (code, found["ok"]) == (0, True), found
    assert names[: 2 * PARTITIONS + 1] == [
        *(f"join.{n}" for n in range(PARTITIONS)),
        *(f"observe.{n}" for n in range(PARTITIONS)),
        "learn",
    ]
    code, told = croupier("export", "--out", str(tmp_path))
    data = read_town(place_of(services.log, services.states))
    assert code == 0
    assert told["rows"]["events"] == sum(one["type"] == "event" for _, one in data.events)
    assert told["rows"]["observations"] >= len(data.observations)
    code, told = croupier("log", "--topic", "observations", "--limit", "1")
    assert (code, told["type"], told["experiment"]) == (0, "observation", "arms")


def test_what_is_declared_while_all_run_is_followed(small: Town) -> None:
    """A longer window, another arm and another experiment, from a file that only learn reads."""
    visit(small.servers[0].port, 10, "windows")
    before = SMALL.replace('"small"', '"windows"')
    now = before.replace('window = "1s"', 'window = "2s"').replace('["a", "b"]', '["a", "b", "c"]')
    toml = small.config.read_text()
    assert before in toml
    small.config.write_text(toml.replace(before, now) + SMALL.replace('"small"', '"second"'))
    assert small.learn.end(signal.SIGTERM) == 0
    small.learn.start()
    for server in small.servers:
        wait_for(
            lambda port=server.port: (  # type: ignore[misc]
                len(ask(port, "/v1/experiments/windows")[1].get("arms", ())) == 3
                and ask(port, "/v1/experiments/second")[1].get("version", 0) > 0
            ),
            SETTLE_SECONDS,
            f"{server.name} has not followed\n{server.tail()}",
        )
    visit(small.servers[0].port, 10, "windows")
    visit(small.servers[1].port, 10, "second")
    wait_for(
        lambda: (
            [page(small.servers[0].port, n)["observations"] for n in ("windows", "second")]
            == [20, 10]
        ),
        SETTLE_SECONDS,
        small.tails(),
    )
    small.check()
    told = place_of(small.services.log, small.services.states)
    events = [one for _, one in read_topic(told, "events", PARTITIONS) if one["type"] == "event"]
    versions = {(e["decision"]["experiment"], e["decision"]["declaration"]) for e in events}
    assert versions >= {("windows", 1), ("windows", 2), ("second", 1)}


def test_a_second_process_of_one_share_waits_and_takes_over(small: Town) -> None:
    """It says so, and does nothing as long as the first lives; nothing is lost or doubled."""
    place = place_of(small.services.log, small.services.states)
    rules = read_rules(small.config.read_text())
    ones = (small.learn, small.joins[0], small.observes[0])
    twins = [Process(f"{one.name}-twin", small.folder, one._command, "ready") for one in ones]

    def agree(wanted: int) -> None:
        wait_for(
            lambda: page(small.servers[0].port, "twins")["observations"] == wanted,
            SETTLE_SECONDS,
            small.tails(),
        )
        assert not differences(only(read_town(place), "twins"), rules)

    try:
        for twin in twins:
            twin.spawn()
        wait_for(
            lambda: all("another process is" in twin.tail() for twin in twins),
            SETTLE_SECONDS,
            "nobody waits",
        )
        visit(small.servers[0].port, 20, "twins")
        agree(20)
        assert [one.ended for one in (*ones, *twins)] == [None] * 6
        for one in ones:
            one.end()
        for twin in twins:
            twin.wait()
        visit(small.servers[1].port, 20, "twins")
        agree(40)
        wait_for(
            lambda: not _unshown(small, place), SETTLE_SECONDS, "the newest snapshot is not shown"
        )
        arms = page(small.servers[0].port, "twins")["arms"]
        believed = thompson_weights(
            [arm["n"] for arm in arms], [round(arm["reward_sum"]) for arm in arms]
        )
        wait_for(
            lambda: (
                [arm["weight"] for arm in page(small.servers[0].port, "twins")["arms"]]
                == pytest.approx(believed, abs=1e-6)
            ),
            SETTLE_SECONDS,
            "whoever took over does not know all that was counted",
        )
    finally:
        for twin in twins:
            twin.close()
        for one in ones:
            one.close()
            one.start()
