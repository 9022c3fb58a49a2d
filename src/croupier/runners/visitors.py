"""Simulated visitors over real HTTP: decide, see, maybe click."""

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

_BATCH = 100
_BATCH_SECONDS = 0.2
_GIVE_UP_SECONDS = 30.0
_RESEND_SHARE = 0.02


class Caller:
    """One keep-alive connection that asks again until it is answered."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._connection: http.client.HTTPConnection | None = None

    def request(self, method: str, path: str, body: object = None) -> Any:
        """The decoded answer; RuntimeError on a refusal, ConnectionError after half a minute."""
        text = None if body is None else json.dumps(body)
        deadline = time.monotonic() + _GIVE_UP_SECONDS
        while True:
            try:
                return self._once(method, path, text)
            except (OSError, http.client.HTTPException) as error:
                self._connection = None
                if time.monotonic() > deadline:
                    raise ConnectionError(f"{method} {path} was not answered") from error
                time.sleep(0.02)

    def _once(self, method: str, path: str, text: str | None) -> Any:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._host, self._port, timeout=10)
        self._connection.request(method, path, text)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status == http.client.SERVICE_UNAVAILABLE:
            raise http.client.HTTPException("unavailable")
        if response.status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:300]!r}")
        return json.loads(answer)


class Truth:
    """What the visitors know to have happened; several threads add to it."""

    def __init__(self, arms: Sequence[str], visitors: int, steps: int) -> None:
        self._lock = threading.Lock()
        self._step = max(1, -(-visitors // steps))
        self.arms, self.visitors = tuple(arms), visitors
        self.decisions = 0
        self.resent = 0
        self.killed, self.victim = 0, ""
        self.shown: Counter[str] = Counter()
        self.clicks: Counter[str] = Counter()
        self.over_time = [Counter[str]() for _ in range(steps)]

    def saw(self, arm: str, *, clicked: bool) -> None:
        """One visitor saw an arm, and will click on it or not."""
        with self._lock:
            self.over_time[min(self.decisions // self._step, len(self.over_time) - 1)][arm] += 1
            self.decisions += 1
            self.shown[arm] += 1
            self.clicks[arm] += clicked

    def resend(self, events: int) -> None:
        """So many events were sent a second time on purpose."""
        with self._lock:
            self.resent += events


class Visitor(threading.Thread):
    """A stream of visitors, one after another, whose events arrive late, shuffled and twice."""

    def __init__(  # noqa: PLR0913 - who, how many, where to, what is true
        self,
        seed: str,
        visitors: int,
        seconds: float,
        caller: Caller,
        experiment: str,
        rates: dict[str, float],
        truth: Truth,
        most_delay: float,
    ) -> None:
        super().__init__(name=f"visitors-{seed}", daemon=True)
        self._seed, self._dice = seed, random.Random(seed)  # noqa: S311 - repeatable visitors
        self._visitors, self._seconds = visitors, seconds
        self._caller, self._experiment = caller, experiment
        self._rates, self._truth, self._most_delay = rates, truth, most_delay
        self._waiting: list[tuple[float, dict[str, object]]] = []
        self._sent = time.time()
        self.error: Exception | None = None

    def run(self) -> None:
        """Send all visitors, then whatever events are still waiting."""
        try:
            began = time.monotonic()
            for number in range(self._visitors):
                while time.monotonic() < began + self._seconds * number / self._visitors:
                    time.sleep(0.005)
                    self._send(everything=False)
                self._visit(f"visitor-{self._seed}-{number}")
                self._send(everything=False)
            while self._waiting:
                time.sleep(0.05)
                self._send(everything=True)
        except Exception as error:  # noqa: BLE001 - the demo reports it
            self.error = error

    def _visit(self, unit: str) -> None:
        path = f"/v1/experiments/{self._experiment}/decide"
        decided = self._caller.request("POST", path, {"unit": unit})
        arm, token = decided["slate"][0]["arm"], decided["token"]
        now, clicked = time.time(), self._dice.random() < self._rates[arm]
        self._truth.saw(arm, clicked=clicked)
        seen = {"kind": "impression", "token": token, "at": int(now * 1000)}
        self._waiting.append((now, seen))
        if clicked:
            delay = min(self._dice.expovariate(4.0 / self._most_delay), self._most_delay)
            at = now + delay
            click = {"kind": "click", "token": token, "arm": arm, "at": int(at * 1000)}
            self._waiting.append((at, click))

    def _send(self, *, everything: bool) -> None:
        now = time.time()
        if len(self._waiting) < _BATCH and now - self._sent < _BATCH_SECONDS and not everything:
            return
        due = [event for at, event in self._waiting if at <= now]
        if due:
            again = [event for event in due if self._dice.random() < _RESEND_SHARE]
            self._truth.resend(len(again))
            batch = due + again
            self._dice.shuffle(batch)
            answer = self._caller.request("POST", "/v1/events", batch)
            if answer["rejected"]:
                raise RuntimeError(f"refused: {answer['rejected'][0]}")
            self._waiting = [(at, event) for at, event in self._waiting if at > now]
        self._sent = now
