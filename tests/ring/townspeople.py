"""Senders and owners of a town: like those of one server, but for what several servers may do."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from tests.ring.owners import Owner
from tests.ring.recount import Rules
from tests.ring.senders import Sender, Versions


class TownSender(Sender):
    """A caller of one server, which may be without its cache: then it says so, or shows defaults.

    A default that nobody drew is reported on by nobody here, but may have been exposed.
    """

    def _take(
        self, name: str, request: dict[str, Any], status: int, answer: Any, newest: int
    ) -> None:
        if status == 200 and answer.get("degraded"):
            self.books.statuses[f"degraded {answer['reason']}"] += 1
            if answer["reason"] == "default":
                if "exposed" in request:
                    self.books.unanswered[name, request["unit"]] += 1
                return
            answer = answer | {"degraded": False}
        super()._take(name, request, status, answer, newest)


class TownOwner(Owner):
    """One who asks another server each time, and must not be told old things by any."""

    def __init__(
        self,
        experiment: str,
        seed: int,
        ports: Sequence[int],
        rules: Rules,
        stop: threading.Event,
    ) -> None:
        super().__init__(experiment, seed, ports[0], rules, stop)
        self._ports = ports

    def _post(self, body: bytes) -> tuple[int, Any]:
        self._port = self._dice.choice(self._ports)
        return super()._post(body)


class TownVersions(Versions):
    """What one server has shown; forgotten when it is killed, for Redis may have lost a second."""

    def forget(self) -> None:
        """It starts anew."""
        with self._lock:
            self._newest: dict[str, int] = {}


def callers(
    many: int,
    seed: int,
    ports: Sequence[int],
    rules: Mapping[str, Rules],
    versions: Sequence[TownVersions],
    events: tuple[threading.Event, threading.Event],
) -> list[TownSender]:
    """So many senders, each with a server of its own in turn; `events` are burst and stop."""
    burst, stop = events
    return [
        TownSender(
            number,
            seed,
            ports[number % len(ports)],
            rules,
            versions[number % len(ports)],
            burst,
            stop,
        )
        for number in range(many)
    ]
