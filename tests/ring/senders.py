"""Callers that decide, report, repeat themselves, lie a little, and retry what was not answered.

Each sender keeps books of what it sent and what was answered: with these, the log can be checked
in both directions, acknowledged ⊆ log ⊆ sent, with multiplicities.
"""

import heapq
import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from tests.ring.recount import MICRO, Rules
from tests.ring.server import HOST

Key = tuple[str, str, int, str, int]
"""A record as the log must hold it: tracking id (hex), kind, slot (−1: the whole slate), outcome
id, value in millionths."""

SPARE = {"each": ("five", "six"), "row": ("r6", "r7", "r8"), "rail": ("l7", "l8")}
"""Arms that may be put at run time, of the experiments whose arms are changed at all."""

_RETRY_SECONDS = 0.03
_HISTORY = 200


class Answer(NamedTuple):
    """What decide said, and what it was asked."""

    experiment: str
    unit: str
    token: str
    tracking_id: str
    arms: tuple[str, ...]
    propensities: tuple[float, ...]
    inclusions: tuple[float, ...]
    version: int
    reason: str
    eligible: frozenset[str] | None
    exclude: frozenset[str]

    def slot_of(self, arm: str | None) -> int:
        """What the log must call a report of this arm, or of none."""
        if arm is not None:
            return self.arms.index(arm)
        return 0 if len(self.arms) == 1 else -1

    def permits(self, arm: str) -> bool:
        """Whether the request allowed this arm."""
        return arm not in self.exclude and (self.eligible is None or arm in self.eligible)


class Report(NamedTuple):
    """One element of a batch: its JSON, and what must become of it."""

    body: Any
    key: Key | None
    refusal: str = ""


class Batch:
    """One request body, and how often it was tried and answered."""

    def __init__(self, reports: list[Report]) -> None:
        self.reports = reports
        self.body = json.dumps([report.body for report in reports]).encode()
        self.tries = self.answers = 0


class Books:
    """What a sender knows; read by others after it has ended."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.batches: list[Batch] = []
        self.exposed: Counter[Key] = Counter()
        self.maybe_exposed: Counter[Key] = Counter()
        self.unanswered: Counter[tuple[str, str]] = Counter()
        self.statuses: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.at: dict[Key, set[int | None]] = {}


class Versions:
    """The newest snapshot version that any answer has shown, by experiment."""

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}
        self._lock = threading.Lock()

    def newest(self, experiment: str) -> int:
        """What a request that starts now may not fall behind."""
        return self._newest.get(experiment, 0)

    def seen(self, experiment: str, version: int) -> None:
        """An answer showed this version."""
        with self._lock:
            self._newest[experiment] = max(version, self._newest.get(experiment, 0))


class Sender(threading.Thread):
    """One caller; `burst` makes it hurry, `stop` makes it settle what is unanswered and end."""

    def __init__(
        self,
        number: int,
        seed: int,
        port: int,
        rules: Mapping[str, Rules],
        versions: Versions,
        burst: threading.Event,
        stop: threading.Event,
    ) -> None:
        super().__init__(name=f"sender-{number}", daemon=True)
        self.books = Books()
        self.error: BaseException | None = None
        self._number, self._port, self._rules, self._versions = number, port, rules, versions
        self._burst, self._ending = burst, stop
        self._dice = random.Random(f"{seed}/{number}")
        self._connection: http.client.HTTPConnection | None = None
        self._due: list[tuple[float, int, Report]] = []
        self._count = 0
        self._reached = False
        self._later: list[tuple[float, Batch]] = []

    def run(self) -> None:
        """Send until told to stop, then retry until all is answered."""
        try:
            while not self._ending.is_set():
                self._turn()
                if not self._burst.is_set():
                    time.sleep(self._dice.uniform(0, 0.03))
            for _, batch in self._later:
                self._insist(batch)
        except BaseException as error:  # noqa: BLE001 - the test fails with it
            self.error = error
        finally:
            self._hang_up()

    def show_again(self, share: float) -> None:
        """Report on old decisions once more, long after (in the caller's thread)."""
        for answer in self.books.answers:
            if self._dice.random() < share:
                reports = [self._impression(answer), *self._outcomes(answer)]
                self._insist(self._batch(reports))
        self._hang_up()

    # --- what it does ---

    def _turn(self) -> None:
        roll = self._dice.random()
        if roll < 0.45:
            self._decide()
        elif roll < 0.93:
            self._report()
        elif roll < 0.97 and self.books.batches:
            self._insist(self._dice.choice(self.books.batches[-_HISTORY:]))
        else:
            self._misbehave()
        if self._later and self._later[0][0] < time.monotonic():
            self._insist(self._later.pop(0)[1])

    def _decide(self) -> None:
        dice = self._dice
        name = dice.choice(list(self._rules))
        unit = f"u-{dice.randrange(60)}" if dice.random() < 0.6 else f"n-{dice.randrange(10**6)}"
        request: dict[str, Any] = {"unit": unit}
        exposed = dice.random() < 0.25
        if exposed:
            request["exposed"] = True
        if dice.random() < 0.2:
            request["exclude"] = [dice.choice(self._rules[name].arms)]
        if dice.random() < 0.1:
            always = self._rules[name].default
            others = dice.sample(self._rules[name].arms, k=2)
            request["eligible"] = [*dict.fromkeys([*always, *others])]
            request["exclude"] = [arm for arm in request.get("exclude", []) if arm not in always]
        body, path = json.dumps(request).encode(), f"/v1/experiments/{name}/decide"
        while True:
            newest = self._versions.newest(name)
            status, answer = self._ask(path, body, lose=0.02)
            if status:
                break
            if exposed and self._reached:
                self.books.unanswered[name, unit] += 1
            if self._ending.wait(_RETRY_SECONDS):
                return
        self._take(name, request, status, answer, newest)

    def _take(
        self, name: str, request: dict[str, Any], status: int, answer: Any, newest: int
    ) -> None:
        books = self.books
        try:
            assert status == 200
            decided = _read(name, self._rules[name], request, answer)
            assert answer["version"] >= newest, f"version {answer['version']} after {newest}"
        except (AssertionError, KeyError, TypeError, ValueError) as error:
            books.wrong.append(f"decide {request} answered {status} {answer}: {error!r}")
            return
        self._versions.seen(name, answer["version"])
        if "exposed" in request:
            key = decided.tracking_id, "impression", decided.slot_of(None), "", 0
            (books.exposed if answer["exposed"] else books.maybe_exposed)[key] += 1
            books.statuses[f"exposed {answer['exposed']}"] += 1
        books.answers.append(decided)
        self._plan(decided, seen="exposed" in request)

    def _plan(self, answer: Answer, *, seen: bool) -> None:
        """What will be reported on a decision, and when: mostly in time, often not."""
        dice, rules = self._dice, self._rules[answer.experiment]
        expose, window = rules.expose_within / 1000, rules.window / 1000
        shown = (
            dice.uniform(0, 0.6 * expose) if dice.random() < 0.8 else dice.uniform(0, 2 * expose)
        )
        if not seen or dice.random() < 0.2:
            if len(answer.arms) > 1 and dice.random() < 0.5:
                self._scroll(answer, shown, 0.5 * expose)
            elif dice.random() < 0.9:
                self._later_on(shown, self._impression(answer))
            if dice.random() < 0.1:
                self._later_on(dice.uniform(0, 12), self._impression(answer))
        if dice.random() < 0.6:
            for report in self._outcomes(answer):
                roll = dice.random()
                delay = shown + dice.uniform(0, window) if roll < 0.7 else dice.uniform(0, expose)
                self._later_on(dice.uniform(2, 30) if roll > 0.9 else delay, report)

    def _scroll(self, answer: Answer, shown: float, longest: float) -> None:
        """Slots are seen by themselves, in any order, and not all of them."""
        for arm in answer.arms:
            if self._dice.random() < 0.8:
                after = shown + self._dice.uniform(0, longest)
                self._later_on(after, self._impression(answer, arm))

    def _later_on(self, delay: float, report: Report) -> None:
        self._count += 1
        heapq.heappush(self._due, (time.monotonic() + delay, self._count, report))

    def _report(self) -> None:
        """A batch of what is due, with repetitions, disorder and rubbish."""
        dice, now = self._dice, time.monotonic()
        reports: list[Report] = []
        most = 60 if self._burst.is_set() else 12
        while self._due and self._due[0][0] <= now and len(reports) < most:
            reports.append(heapq.heappop(self._due)[2])
        if not reports:
            return
        reports += dice.choices(reports, k=dice.choice([0, 0, 0, 1, 3]))
        if dice.random() < 0.2 and self.books.batches:
            reports += dice.choice(self.books.batches[-_HISTORY:]).reports[:3]
        if dice.random() < 0.3 and self.books.answers:
            reports += [self._rubbish() for _ in range(dice.randint(1, 3))]
        dice.shuffle(reports)
        batch = self._batch(reports)
        if dice.random() < 0.06:
            self._ask_once(batch, lose=1.0)
            self._later.append((now + dice.uniform(0, 6), batch))
        else:
            self._insist(batch)

    def _batch(self, reports: list[Report]) -> Batch:
        batch = Batch(reports)
        self.books.batches.append(batch)
        for report in reports:
            if report.key is not None:
                self.books.at.setdefault(report.key, set()).add(report.body.get("at"))
        return batch

    # --- what it says ---

    def _impression(self, answer: Answer, arm: str | None = None) -> Report:
        body: dict[str, Any] = {"kind": "impression", "token": answer.token}
        if arm is None and len(answer.arms) == 1 and self._dice.random() < 0.3:
            arm = answer.arms[0]
        if arm is not None:
            body["arm"] = arm
        self._date(body)
        return Report(body, (answer.tracking_id, "impression", answer.slot_of(arm), "", 0))

    def _outcomes(self, answer: Answer) -> list[Report]:
        dice, rules, reports = self._dice, self._rules[answer.experiment], []
        for kind in [*rules.reward, "hover"]:
            if dice.random() < 0.5:
                continue
            for _ in range(dice.choice([1, 1, 2, 4])):
                arm = dice.choice(answer.arms)
                body: dict[str, Any] = {"kind": kind, "token": answer.token, "arm": arm}
                if len(answer.arms) == 1 and dice.random() < 0.2:
                    del body["arm"]
                if dice.random() < 0.5:
                    body["id"] = f"e-{dice.randrange(4)}"
                if kind == "purchase" or dice.random() < 0.1:
                    body["value"] = dice.choice([0, 3, 0.5, 19.99, 12.345678, 80.0])
                self._date(body)
                value = round(body.get("value", 0) * MICRO)
                key = answer.tracking_id, kind, answer.slot_of(arm), body.get("id", ""), value
                reports.append(Report(body, key))
        return reports

    def _date(self, body: dict[str, Any]) -> None:
        """Sometimes say when it happened: just now, before the decision, or in the future."""
        roll = self._dice.random()
        now = int(time.time() * 1000)
        if roll < 0.15:
            body["at"] = now - self._dice.randrange(400)
        elif roll < 0.18:
            body["at"] = now - 10_000
        elif roll < 0.2:
            body["at"] = now + 20_000

    def _rubbish(self) -> Report:
        """A record that must be refused, and a word of the reason."""
        dice = self._dice
        answer = dice.choice(self.books.answers[-_HISTORY:])
        kind = next(iter(self._rules[answer.experiment].reward))
        good = {"kind": kind, "token": answer.token, "arm": answer.arms[0]}
        no_arm = {"kind": kind, "token": answer.token}
        where = dice.randrange(len(answer.token) - 1)
        other = dice.choice([c for c in "ABCDabcd0123" if c != answer.token[where]])
        forged = answer.token[:where] + other + answer.token[where + 1 :]
        now = int(time.time() * 1000)
        body, refusal = dice.choice(
            [
                (good | {"token": forged}, "token"),
                (good | {"token": ""}, "token"),
                (good | {"token": answer.token[:-8]}, "token"),
                (good | {"token": "Ä€" * 30}, "token"),
                (good | {"arm": "no-such-arm", "value": 1}, "was not shown"),
                (
                    no_arm if len(answer.arms) > 1 else [],
                    "arm is required" * (len(answer.arms) > 1),
                ),
                (good | {"value": -1}, "value"),
                (good | {"value": 1e12}, "value"),
                (good | {"value": "many"}, "value"),
                (good | {"at": now + 3_600_000, "value": 1}, "at must lie"),
                (good | {"at": now - 86_400_000, "value": 1}, "at must lie"),
                (good | {"kind": "a b"}, "kind"),
                (good | {"kind": ""}, "kind"),
                (good | {"colour": "red"}, "colour"),
                ({"kind": "click"}, "token"),
                ("click", ""),
                (None, ""),
                ([], ""),
                (17, ""),
            ]
        )
        return Report(body, None, refusal)

    def _misbehave(self) -> None:
        """A request that must be refused as a whole."""
        name = self._dice.choice([name for name in self._rules if name not in SPARE])
        events, decide = "/v1/events", f"/v1/experiments/{name}/decide"
        everything = json.dumps({"unit": "u", "exclude": list(self._rules[name].arms)})
        path, body, wanted = self._dice.choice(
            [
                (events, "not json", 400),
                (events, '{"kind":"click"}', 400),
                (events, "", 400),
                (events, '[{"kind":"click"', 400),
                ("/v1/experiments/nobody/decide", '{"unit":"u"}', 404),
                (decide, "{", 400),
                (decide, "{}", 422),
                (decide, '{"unit":""}', 422),
                (decide, '{"unit":"u","color":1}', 422),
                (decide, '{"unit":"u","exclude":["nobody"]}', 422),
                (decide, everything, 422),
            ]
        )
        status, answer = self._ask(path, body.encode(), lose=0)
        if status not in {0, wanted} or (status and "error" not in answer):
            self.books.wrong.append(f"{path} {body}: {status} {answer}, expected {wanted}")

    # --- how it sends ---

    def _insist(self, batch: Batch) -> None:
        """Send the same body until it is answered."""
        lose = 0.05
        while not self._ask_once(batch, lose):
            time.sleep(_RETRY_SECONDS)
            lose /= 2

    def _ask_once(self, batch: Batch, lose: float) -> bool:
        status, answer = self._ask("/v1/events", batch.body, lose, sending=batch)
        if status == 0:
            return False
        if status == 503:
            self.books.statuses["events 503"] += 1
            return False
        batch.answers += 1
        self._check(batch, status, answer)
        return True

    def _check(self, batch: Batch, status: int, answer: Any) -> None:
        bad = {at: report for at, report in enumerate(batch.reports) if report.key is None}
        try:
            assert status == 202
            assert answer["accepted"] == len(batch.reports) - len(bad)
            assert [one["index"] for one in answer["rejected"]] == list(bad)
            for one in answer["rejected"]:
                assert bad[one["index"]].refusal in one["reason"], one
                assert one["reason"]
        except (AssertionError, KeyError, TypeError) as error:
            told = {at: report.body for at, report in bad.items()}
            self.books.wrong.append(f"events with bad {told} answered {status} {answer}: {error!r}")

    def _ask(
        self, path: str, body: bytes, lose: float, sending: Batch | None = None
    ) -> tuple[int, Any]:
        """POST; (0, None) when nobody answered, or when we did not wait for the answer."""
        deaf = self._dice.random() < lose
        self._reached = False
        try:
            connection = self._dial()
            self._reached = True
            if sending is not None:
                sending.tries += 1
            connection.request("POST", path, body, {"content-type": "application/json"})
            if deaf:
                time.sleep(self._dice.choice([0, 0.001, 0.005, 0.03]))
                self._hang_up()
                return 0, None
            answer = connection.getresponse()
            raw = answer.read()
        except (OSError, http.client.HTTPException):
            self._hang_up()
            return 0, None
        self.books.statuses[f"{path.rpartition('/')[2]} {answer.status}"] += 1
        try:
            return answer.status, json.loads(raw)
        except ValueError:
            self.books.wrong.append(f"{path}: {answer.status} and no JSON: {raw[:200]!r}")
            return answer.status, {}

    def _dial(self) -> http.client.HTTPConnection:
        if self._connection is None:
            connection = http.client.HTTPConnection(HOST, self._port, timeout=15)
            connection.auto_open = 0
            connection.connect()
            self._connection = connection
        return self._connection

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError):
                connection.close()


def _read(name: str, rules: Rules, request: dict[str, Any], answer: Any) -> Answer:
    """What decide answered, when it is what can be answered; else AssertionError, KeyError …"""
    exclude, eligible = frozenset(request.get("exclude", ())), request.get("eligible")
    slate = answer["slate"]
    decided = Answer(
        answer["experiment"],
        request["unit"],
        answer["token"],
        answer["tracking_id"],
        tuple(shown["arm"] for shown in slate),
        tuple(shown["propensity"] for shown in slate),
        tuple(shown["inclusion"] for shown in slate if "inclusion" in shown),
        answer["version"],
        answer["reason"],
        None if eligible is None else frozenset(eligible),
        exclude,
    )
    arms = decided.arms
    assert decided.experiment == name
    assert decided.reason in {"policy", "holdout", "pinned", "default"}
    kept = set(rules.default) <= set(filter(decided.permits, rules.arms))
    assert decided.reason != "default" or not kept, "held out, and the default could be shown"
    assert answer["degraded"] is False
    assert ("exposed" in answer) == ("exposed" in request)
    assert [shown["slot"] for shown in slate] == list(range(len(arms)))
    assert 1 <= len(set(arms)) == len(arms) <= rules.slots
    assert set(arms) <= {*rules.arms, *SPARE.get(name, ())}
    assert all(map(decided.permits, arms))
    assert all(0 < share <= 1 for share in decided.propensities + decided.inclusions)
    pooled = rules.slots > 1 and rules.ranking == "pooled"
    assert len(decided.inclusions) == (len(arms) if pooled else 0)
    return decided


def wait_for(what: Callable[[], bool], seconds: float, why: str) -> None:
    """Look again until it is so; AssertionError with `why` when it takes too long."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, why
        time.sleep(0.1)
