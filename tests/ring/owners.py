"""Whoever owns an experiment: changes its arms while others decide, and knows what must be true."""

import http.client
import json
import random
import threading
import time
from contextlib import suppress
from typing import Any

from tests.ring.recount import Rules
from tests.ring.senders import SPARE
from tests.ring.server import HOST

Standing = tuple[dict[str, str], int | None]
"""The status of each arm by name, in order of their numbers, and the number that is pinned."""

_RETRY_SECONDS = 0.05
_MEANS = {"put": "active", "pause": "paused", "resume": "active", "remove": "removed"}


def after(arm_set: dict[str, Any]) -> Standing:
    """What a raw arm set says."""
    statuses = {arm["name"]: arm.get("status", "active") for arm in arm_set["arms"]}
    return statuses, arm_set.get("pinned")


class Owner(threading.Thread):
    """Sends one change after the other, each until it is answered, so that it knows the outcome.

    Default arms and the first two are left alone but for pins: whichever single arm a request
    excludes, there is always something to show. At the end it unpins.
    """

    def __init__(
        self, experiment: str, seed: int, port: int, rules: Rules, stop: threading.Event
    ) -> None:
        super().__init__(name=f"owner-{experiment}", daemon=True)
        self.experiment = experiment
        self.believed: Standing = dict.fromkeys(rules.arms, "active"), None
        self.course: list[Standing] = [self.believed]
        self.made: list[tuple[str, str]] = []
        self.answered: list[tuple[int, int]] = []
        self.refused = self.tries = 0
        self.wrong: list[str] = []
        self.error: BaseException | None = None
        self._port, self._rules, self._ending = port, rules, stop
        self._dice = random.Random(f"{seed}/{experiment}")

    def run(self) -> None:
        """Change arms until told to stop."""
        try:
            while not self._ending.is_set():
                self._change(*self._choose())
                time.sleep(self._dice.uniform(0.05, 0.6))
            self._change("unpin", "", None)
        except BaseException as error:  # noqa: BLE001 - the test fails with it
            self.error = error

    def _choose(self) -> tuple[str, str, str | None]:
        dice, fixed = self._dice, {*self._rules.default, *self._rules.arms[:2]}
        spare = SPARE[self.experiment]
        loose = [arm for arm in (*self._rules.arms, *spare) if arm not in fixed]
        change = dice.choice(["put", "put", "pause", "resume", "remove", "pin", "pin", "unpin"])
        if change == "unpin":
            return change, "", None
        if change == "pin":
            arm = dice.choice([*self._rules.arms, *spare])
            return change, arm, dice.choice([None, "300ms", "1s"])
        return (
            change,
            dice.choice(spare if change == "put" and dice.random() < 0.5 else loose),
            None,
        )

    def _change(self, change: str, arm: str, until: str | None) -> None:
        wanted, expected = self._expect(change, arm)
        body = {"change": change, "by": self.name} | ({"arm": arm} if arm else {})
        body |= {"until": until} if until else {}
        while True:
            self.tries += 1
            status, answer = self._post(json.dumps(body).encode())
            if status not in {0, 503}:
                break
            time.sleep(_RETRY_SECONDS)
        if status == 200 and expected == 200:
            self.believed = wanted
            self.course.append(wanted)
            self.made.append((change, arm))
            self.answered.append((int(time.time() * 1000), answer["version"]))
            told = {each["name"]: each.get("status", "active") for each in answer["arms"]}
            if told != wanted[0]:
                self.wrong.append(f"{body}: answered {told}, expected {wanted}")
        elif status == expected:
            self.refused += 1
        if status != expected:
            self.wrong.append(f"{body}: {status} {answer}, expected {expected} with {wanted}")

    def _expect(self, change: str, arm: str) -> tuple[Standing, int]:
        """What must be true afterwards, and the answer's status."""
        statuses, pinned = self.believed
        names = list(statuses)
        if change == "unpin":
            return (statuses, None), 200
        known = statuses.get(arm)
        if change == "pin":
            if known != "active":
                return self.believed, 409
            return (statuses, names.index(arm)), 200
        if change != "put" and (known is None or (known == "removed" and change != "remove")):
            return self.believed, 409
        statuses = statuses | {arm: _MEANS[change]}
        lost = pinned is not None and statuses[names[pinned]] != "active"
        return (statuses, None if lost else pinned), 200

    def _post(self, body: bytes) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=15)
        with suppress(OSError, http.client.HTTPException):
            connection.request(
                "POST",
                f"/v1/experiments/{self.experiment}/arms",
                body,
                {"content-type": "application/json"},
            )
            answer = connection.getresponse()
            found = answer.status, json.loads(answer.read())
            connection.close()
            return found
        connection.close()
        return 0, None
