"""Crashes as data: wherever the ring is cut, nothing is lost and nothing counted twice."""

import random
import shutil
import sqlite3
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from croupier.config.backends import Backends, open_backends
from croupier.config.settings import Settings, parse_settings
from croupier.core import codec
from croupier.core.records import Decision, Event
from croupier.core.session import session_at
from croupier.core.snapshot import Snapshot
from croupier.ports import EVENTS, Commit, Tally, UnavailableError
from croupier.runners import open_stories, ring
from croupier.runners.declare import declare
from croupier.runners.ring import Ring
from tests.ring.recount import DataFile, differences, read_data, read_rules, thompson_weights

START = 1_700_000_000_000
TOML = """
[[experiment]]
name = "long"
arms = ["x", "y"]
default = "x"
reward = { click = 1.0 }
expose_within = "5m"
window = "4m"
lateness = "1m"
session = "6m"
refresh = "30s"
period = "5m"

[[experiment]]
name = "short"
arms = ["x", "y", "z"]
default = "x"
reward = { click = 1.0, buy = { weight = 0.01, of = "value", max = 50 } }
expose_within = "4s"
window = "4s"
lateness = "2s"
session = "none"
refresh = "10s"
"""
SETTINGS, RULES = parse_settings(TOML), read_rules(TOML)
SHORT = parse_settings(TOML[TOML.index("[[experiment]]", 5) :])


class CrashError(Exception):
    """The process is gone."""


class FakeTime:
    """The `time` module as croupier.clock sees it."""

    def __init__(self) -> None:
        self.wall = self.since_boot = START / 1000

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.since_boot

    def sleep_until(self, wall: float) -> None:
        self.since_boot += max(0.0, wall - self.wall)
        self.wall = max(wall, self.wall)


class Cut:
    """A port that dies, or fails, at the n-th call of one method: before it, or after it."""

    def __init__(self, port: Any, method: str, call: int, *, after: bool) -> None:
        self._port, self._method, self._left, self._after = port, method, call, after

    def __getattr__(self, name: str) -> Any:
        whole = getattr(self._port, name)
        return self._cut(whole) if name == self._method else whole

    def _cut(self, whole: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                raise CrashError
            answer = whole(*arguments)
            if self._left == 0:
                raise CrashError
            return answer

        return call


class Instead:
    """A port with some methods of our own."""

    def __init__(self, port: Any, **methods: Callable[..., Any]) -> None:
        self._port = port
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


class Lab:
    """A ring on a file, with a clock in our hands; a crash throws all memory away."""

    def __init__(self, folder: Path, time: FakeTime, settings: Settings = SETTINGS) -> None:
        self.path, self.time, self.settings = folder / "croupier.db", time, settings
        self.cut: Callable[[Backends], Backends] = lambda whole: whole
        self.served: list[Snapshot] = []
        self.crashes = 0
        self.open()

    def open(self) -> None:
        self.whole = open_backends(self.path)
        self.backends = self.cut(self.whole)
        declarations = declare(self.settings, self.backends.log, self.backends.clock).declarations
        self.ring = Ring(self.backends, declarations, declarations.names(), self.served.append)
        self.ring.recover()

    def crash(self) -> None:
        self.crashes += 1
        self.whole.close()

    def restart(self) -> None:
        self.crash()
        self.open()

    def append(self, events: Sequence[Event]) -> None:
        self.backends.log.append(EVENTS, [codec.encode(event) for event in events]).result()

    def turn(self) -> None:
        """One step and a refresh; when that is the end of the process, the next one starts."""
        try:
            self.ring.step()
            self.ring._try("refresh", self.ring.refresh)
        except CrashError:
            self.cut = lambda whole: whole
            self.restart()

    def play(self, moments: Sequence[tuple[int, list[Event]]], every: int = 3) -> None:
        """Append at the times given, turning now and then."""
        for count, (at, events) in enumerate(moments):
            self.time.sleep_until(at / 1000)
            self.append(events)
            if count % every == 0:
                self.turn()

    def finish(self) -> DataFile:
        """Let every story end; what the file says then."""
        for _ in range(2_000):
            self.turn()
            stages = self.ring.join.stage, self.ring.observe.stage
            ends = self.backends.log.ends(EVENTS)
            if not any(stage.open for stage in stages) and self.ring.positions == ends:
                break
            closes = [at for stage in stages if (at := stage.next_close()) is not None]
            self.time.sleep_until(max(self.time.wall + 0.3, min(closes, default=0) / 1000))
        for _ in range(3):
            self.time.sleep_until(self.time.wall + 60)
            self.turn()
        self.crash()
        return read_data(self.path)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr("croupier.clock.time", fake)
    monkeypatch.setattr(ring, "_ENTRIES", 7)
    monkeypatch.setattr(ring, "_RETRY_SECONDS", 0.0)
    monkeypatch.setattr(open_stories, "_CHUNK", 3)
    return fake


@pytest.fixture
def lab(tmp_path: Path, clock: FakeTime) -> Iterator[Lab]:
    made = Lab(tmp_path, clock)
    yield made
    made.whole.close()


def check(data: DataFile, least: int = 20) -> None:
    """What was learned is what the log amounts to, and the last weights are made of it."""
    assert not (problems := differences(data, RULES)), "\n".join(problems)
    assert len(data.observations) >= least
    n, r = [0, 0], [0, 0]
    for (name, arm, *_), eight in data.sums.items():
        if name == "long":
            n[arm], r[arm] = n[arm] + eight[0], r[arm] + eight[1] // 1_000_000
    if "long" in data.snapshots:
        weights = data.snapshots["long"][-1]["weights"]
        assert weights == pytest.approx(thompson_weights(n, r), abs=1e-6)
    for many in data.snapshots.values():
        assert [one["version"] for one in many] == list(range(1, len(many) + 1))


def decide(dice: random.Random, name: str, at: int, unit: bytes) -> Decision:
    length = RULES[name].session
    return Decision(
        tracking_id=at.to_bytes(6, "big") + dice.randbytes(9),
        experiment=name,
        unit=unit,
        session=0 if length is None else session_at(unit, at, length),
        declaration=1,
        snapshot=1,
        slate=(dice.randrange(len(RULES[name].arms)),),
        propensities=(dice.choice([0.5, 0.25, 0.125]),),
    )


def traffic(
    seed: int, start: int, minutes: float, decisions: int = 60
) -> list[tuple[int, list[Event]]]:
    """Reports of some decisions: repeated, in disorder, in time and late; by time of arrival."""
    dice = random.Random(seed)
    units = [dice.randbytes(16) for _ in range(12)]
    found: list[tuple[int, Event]] = []
    for _ in range(decisions):
        name = dice.choice(list(RULES))
        rules, at = RULES[name], start + dice.randrange(round(minutes * 60_000))
        one = decide(dice, name, at, dice.choice(units))
        shown = at + dice.randrange(round(rules.expose_within * 1.1))
        events = [Event(decision=one, kind="impression", at=shown)]
        for kind in rules.reward:
            for _ in range(dice.choice([0, 1, 2])):
                then = shown + dice.randrange(round(rules.window * 1.2))
                value = 0 if kind == "click" else dice.randrange(40_000_000)
                id_ = dice.choice(["", "a", "b"])
                events.append(Event(decision=one, kind=kind, at=then, value=value, id=id_))
        for event in events:
            for _ in range(dice.choice([1, 1, 2])):
                delay = dice.choice([0, 0, 1, dice.randrange(2 * rules.horizon)])
                found.append((event.at + delay, event))
    found.sort(key=lambda one: one[0])
    moments: list[tuple[int, list[Event]]] = []
    while found:
        size = dice.choice([1, 1, 2, 4])
        batch, found = found[:size], found[size:]
        moments.append((batch[-1][0], [event for _, event in batch]))
    return moments


# --- crashes of the ring --------------------------------------------------------------------------


def test_without_a_crash(lab: Lab) -> None:
    lab.play(traffic(1, START, 12))
    data = lab.finish()
    check(data)
    assert sum(data.late.values()) > 5


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", [1, 2, 9, 20])
@pytest.mark.parametrize(("port", "method"), [("states", "commit"), ("cache", "put")])
def test_a_crash_around_a_commit_or_a_publication(
    tmp_path: Path, clock: FakeTime, port: str, method: str, call: int, after: bool
) -> None:
    lab = Lab(tmp_path, clock)

    def cut(whole: Backends) -> Backends:
        changed: Any = {port: Cut(getattr(whole, port), method, call, after=after)}
        return whole._replace(**changed)

    lab.cut = cut
    lab.restart()
    lab.play(traffic(call, START, 12))
    data = lab.finish()
    assert lab.crashes == 3
    check(data)


@pytest.mark.parametrize("every", [1, 4])
def test_a_restart_at_every_moment(lab: Lab, every: int) -> None:
    for at, events in traffic(5, START, 9, decisions=24):
        lab.play([(at, events)])
        if lab.crashes % every == 0:
            lab.turn()
        lab.restart()
    check(lab.finish(), least=10)


# --- the copy of the open stories -----------------------------------------------------------------


def _with_copy(lab: Lab, seed: int = 7) -> Path:
    """Play half, save what is open, play on; the file of the copy."""
    moments = traffic(seed, START, 20, decisions=90)
    half = len(moments) // 2
    lab.play(moments[:half])
    open_stories.save(lab.backends, lab.ring.positions, lab.ring.join, lab.ring.observe)
    assert lab.ring.join.stage.open
    assert lab.ring.observe.stage.open
    lab.play(moments[half : half + 10])
    return lab.path.with_name("croupier.db.open")


def _frames(raw: bytes) -> list[int]:
    """Where each frame of the copy begins."""
    starts, at = [], 0
    while at < len(raw):
        starts.append(at)
        at += 8 + struct.unpack_from(">I", raw, at)[0]
    return starts


def test_a_good_copy_is_used(lab: Lab) -> None:
    _with_copy(lab)
    read: list[int] = []

    def watched(whole: Backends) -> Backends:
        def look(topic: str, positions: dict[int, int], limit: int) -> Any:
            if topic == EVENTS:
                read.append(positions.get(0, 0))
            return whole.log.read(topic, positions, limit)

        log: Any = Instead(whole.log, read=look)
        return whole._replace(log=log)

    lab.cut = watched
    lab.restart()
    assert min(read) > 10, "it read the log from its start"
    check(lab.finish())


@pytest.mark.parametrize("damage", ["cut", "flip", "zeros", "gone", "empty", "rubbish"])
def test_a_damaged_copy_costs_nothing_but_time(
    tmp_path: Path, clock: FakeTime, damage: str
) -> None:
    (tmp_path / "whole").mkdir()
    lab = Lab(tmp_path / "whole", clock)
    copy = _with_copy(lab)
    lab.crash()
    raw = copy.read_bytes()
    frames, dice = _frames(raw), random.Random(damage)
    places = {*frames[1:3], frames[-2], frames[-1], dice.randrange(len(raw))}
    stopped = clock.wall, clock.since_boot
    for count, place in enumerate(sorted(places) if damage in {"cut", "flip", "zeros"} else [0]):
        folder = tmp_path / str(count)
        shutil.copytree(tmp_path / "whole", folder)
        broken = {
            "cut": raw[:place],
            "flip": raw[:place] + bytes([raw[place] ^ 0x40]) + raw[place + 1 :],
            "zeros": raw[:place] + bytes(len(raw) - place),
            "empty": b"",
            "rubbish": dice.randbytes(500),
            "gone": None,
        }[damage]
        if broken is None:
            (folder / copy.name).unlink()
        else:
            (folder / copy.name).write_bytes(broken)
        clock.wall, clock.since_boot = stopped
        check(Lab(folder, clock).finish())


def test_the_copy_of_another_file_is_not_taken(tmp_path: Path, clock: FakeTime) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    labs = []
    for seed, folder in enumerate(folders):
        folder.mkdir()
        clock.wall = clock.since_boot = START / 1000
        labs.append(Lab(folder, clock))
        _with_copy(labs[-1], seed)
        labs[-1].crash()
    shutil.copy(folders[0] / "croupier.db.open", folders[1] / "croupier.db.open")
    labs[1].open()
    check(labs[1].finish())


@pytest.mark.parametrize("turns", [0, 1, 3])
def test_a_session_that_closed_after_the_copy_was_saved_is_not_told_again(
    lab: Lab, turns: int
) -> None:
    """However little has happened since: no other funnel, one tick, then the crash."""
    dice, at = random.Random(37), START
    one = decide(dice, "long", at, dice.randbytes(16))
    lab.append([Event(decision=one, kind="impression", at=at)])
    while not lab.ring.observe.stage.open:
        lab.time.sleep_until(lab.time.wall + 1)
        lab.turn()
    open_stories.save(lab.backends, lab.ring.positions, lab.ring.join, lab.ring.observe)
    while lab.ring.observe.stage.open:
        lab.time.sleep_until(lab.time.wall + 1)
        lab.turn()
    for _ in range(turns):
        lab.time.sleep_until(lab.time.wall + 1)
        lab.turn()
    lab.restart()
    assert not lab.ring.observe.stage.open
    check(lab.finish(), least=1)


def test_a_copy_that_cannot_be_written_stops_nothing(lab: Lab) -> None:
    lab.play(traffic(3, START, 3))
    lab.path.with_name("croupier.db.open.draft").mkdir()
    turning = threading.Thread(target=lab.ring.run, daemon=True)
    turning.start()
    for _ in range(4):
        lab.time.sleep_until(lab.time.wall + 61)
        time.sleep(0.1)
    error = lab.ring.error
    lab.ring.stop()
    turning.join(timeout=5)
    assert error is None, f"the ring has stopped for good: {error}"
    lab.restart()
    check(lab.finish())


# --- backups --------------------------------------------------------------------------------------


def _back_up(lab: Lab) -> Path:
    copy = lab.path.with_name("backup.db")
    with closing(sqlite3.connect(lab.path)) as live, closing(sqlite3.connect(copy)) as to:
        live.backup(to)
    return copy


def _put_back(lab: Lab, backup: Path) -> None:
    """The data file as it was, whatever lies beside it now."""
    lab.crash()
    for rest in ("-wal", "-shm"):
        lab.path.with_name(lab.path.name + rest).unlink(missing_ok=True)
    shutil.copy(backup, lab.path)


def test_an_older_data_file_put_back(lab: Lab) -> None:
    moments = traffic(11, START, 20, decisions=90)
    third = len(moments) // 3
    lab.play(moments[:third])
    backup = _back_up(lab)
    lab.play(moments[third : 2 * third])
    open_stories.save(lab.backends, lab.ring.positions, lab.ring.join, lab.ring.observe)
    _put_back(lab, backup)
    lab.open()
    lab.play(moments[third + 5 :])
    lab.restart()
    check(lab.finish())


def test_an_older_data_file_put_back_beside_a_copy_of_its_own_future(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy fits the events of the backup, but was told their funnels in other rows."""
    moments = traffic(13, START, 30, decisions=140)
    half = len(moments) // 2
    lab.play(moments[:half], every=10**6)
    backup = _back_up(lab)
    monkeypatch.setattr(ring, "_ENTRIES", 1)
    while lab.ring.step():
        pass
    open_stories.save(lab.backends, lab.ring.positions, lab.ring.join, lab.ring.observe)
    _put_back(lab, backup)
    monkeypatch.setattr(ring, "_ENTRIES", 1_000)
    lab.open()
    while lab.ring.step():
        pass
    lab.play(moments[half : half + 40], every=8)
    lab.restart()
    check(lab.finish())


# --- clocks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("back", [3, 600, 86_400])
def test_a_clock_set_back_between_runs(lab: Lab, back: float) -> None:
    lab.play(traffic(17, START, 6))
    lab.crash()
    lab.time.wall -= back
    lab.open()
    for turn in range(30):
        lab.time.wall += 10
        lab.time.since_boot += 10
        lab.append([event for _, events in traffic(17, START, 6)[turn::40] for event in events])
        lab.turn()
    lab.time.sleep_until(lab.time.wall + back)
    lab.restart()
    check(lab.finish())


def test_decisions_ahead_of_a_clock_that_was_set_back(tmp_path: Path, clock: FakeTime) -> None:
    """Within [server] max_skew they are accepted, so their records must survive a restart too."""
    dice, early = random.Random(19), START - 50_000
    clock.wall = clock.since_boot = early / 1000
    lab = Lab(tmp_path, clock, SHORT)
    ahead = [decide(dice, "short", START, dice.randbytes(16)) for _ in range(5)]
    lab.append([Event(decision=one, kind="impression", at=early) for one in ahead])
    clock.sleep_until(early / 1000 + 35)
    one = decide(dice, "short", early + 35_000, dice.randbytes(16))
    lab.append([Event(decision=one, kind="impression", at=one.at)])
    lab.turn()
    lab.restart()
    check(lab.finish(), least=6)


# --- a disk that is full for a while --------------------------------------------------------------


class Patience(threading.Event):
    """Waits for nothing; when it was asked often enough, the trouble is over."""

    def __init__(self, heal: Callable[[], None]) -> None:
        super().__init__()
        self.waits, self._heal = 0, heal

    def wait(self, timeout: float | None = None) -> bool:
        self.waits += 1
        if self.waits == 3:
            self._heal()
        return False


def _fill_disk(lab: Lab, *, full: bool) -> None:
    """SQLite itself says "database or disk is full", to whatever needs one page more."""
    connection = lab.whole.log._file._connection  # type: ignore[attr-defined]
    pages = connection.execute("PRAGMA page_count").fetchone()[0] if full else 2**30
    connection.execute(f"PRAGMA max_page_count = {pages}")


def test_a_disk_that_is_full_for_a_while(lab: Lab) -> None:
    waits, refused = 0, 0
    moments = traffic(23, START, 25, decisions=200)
    for start in range(0, len(moments), 12):
        for at, events in moments[start : start + 12]:
            lab.time.sleep_until(at / 1000)
            lab.append(events)
        for _ in range(4):
            _fill_disk(lab, full=True)
            try:
                for _ in range(20):
                    lab.append(moments[start][1])
            except UnavailableError:
                refused += 1
            lab.ring._stop = patience = Patience(lambda: _fill_disk(lab, full=False))
            lab.turn()
            waits += patience.waits
            _fill_disk(lab, full=False)
    assert refused > 5
    assert waits >= 3
    assert lab.ring.error is None
    check(lab.finish())


def test_a_publication_that_fails_is_made_up_for(lab: Lab) -> None:
    """What was learned while snapshots could not be written is published when they can."""
    moments = traffic(29, START, 12)
    lab.play(moments[: len(moments) // 2])
    whole, refused = lab.ring.learn._cache, list[Snapshot]()

    def refuse(snapshot: Snapshot, tally: Tally | None = None) -> bool:
        refused.append(snapshot)
        raise UnavailableError("database or disk is full")

    full: Any = Instead(whole, put=refuse)
    lab.ring.learn._cache = full
    while lab.ring.join.stage.open or lab.ring.observe.stage.open:
        lab.time.sleep_until(lab.time.wall + 5)
        lab.ring.step()
        lab.ring._try("refresh", lab.ring.refresh)
    assert refused
    lab.ring.learn._cache = whole
    check(lab.finish())


def test_a_commit_that_failed_and_one_whose_answer_was_lost(lab: Lab) -> None:
    """A process that dies while it retries a commit leaves nothing behind of it."""
    whole, failing = lab.whole.states.commit, iter([True, True, False] * 1_000)

    def commit(change: Commit) -> None:
        if next(failing):
            raise UnavailableError("disk I/O error")
        whole(change)

    states: Any = Instead(lab.whole.states, commit=commit)
    lab.ring._backends = lab.backends._replace(states=states)
    lab.play(traffic(31, START, 12))
    lab.restart()
    check(lab.finish())
