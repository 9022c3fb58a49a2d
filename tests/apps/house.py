"""A whole house for a test: the real ring on a real file, and its doors; time can be made to pass.

Nothing is faked: `later` uses the clock's own way of catching up with stamps from the future, and
tokens of other times or keys are signed by a real signer.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import uvicorn
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from croupier.config.backends import open_backends
from croupier.config.keys import load_keys
from croupier.config.settings import parse_settings
from croupier.core.records import Decision
from croupier.core.token import Signer
from croupier.runners.embedded import Embedded

TOP_BUTTON = """
[[experiment]]
name = "top-button"
arms = ["install", "free-trial", "see-recipes"]
default = "install"
reward = { click = 1.0 }
slots = 1
policy = { kind = "thompson", floor = 0.01 }
expose_within = "5m"
window = "15m"
lateness = "1m"
session = "15m"
refresh = "10s"
sticky = "session"
holdout = 0.0
surface = "top-page"
"""
"""Every key of DESIGN §5, word for word."""

SINGLE = TOP_BUTTON.replace('session = "15m"', 'session = "none"')
"""The same, but each decision is its own session."""

NAME = "top-button"
MINUTE = 60_000
STORY = 36 * MINUTE + 1_000
"""Longer than the longest story of TOP_BUTTON."""
_PATIENCE = 10.0


class House:
    """An embedded ring with its doors; can be closed, and opened again with another TOML."""

    def __init__(self, data: Path, toml: str = TOP_BUTTON) -> None:
        self.data = data
        self.open(toml)

    def open(self, toml: str) -> None:
        """Start on the data file, as `croupier up` does."""
        settings = parse_settings(toml)
        keys = load_keys(self.data, {})
        self.embedded = Embedded(settings, open_backends(self.data), keys)
        self.embedded.start()
        while not self.up_to_date():
            time.sleep(0.002)
        self.clock = self.embedded.backends.clock
        self.client = TestClient(self.embedded.app())
        self.client.__enter__()
        self._marked: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}

    def up_to_date(self) -> bool:
        """Whether what is declared is what is served: recovery is over."""
        service, declarations = self.embedded.service, self.embedded.declarations
        for name in service.experiments:
            snapshot, latest = service.snapshot(name), declarations.latest(name)
            arms = declarations.arms(name)
            active = [arm.name for arm in arms.arms if arm.status == "active"]
            if snapshot is None or list(snapshot.names) != active:
                return False
            if snapshot.pinned != arms.pinned:
                return False
            if (snapshot.declaration, snapshot.policy) != (latest.version, latest.spec.policy):
                return False
        return self.embedded.ring.error is not None or bool(self.embedded.ring._recovered)

    def close(self) -> None:
        """Stop as `croupier up` does on SIGTERM."""
        self.client.__exit__(None, None, None)
        self.embedded.stop()

    def reopen(self, toml: str) -> None:
        """Stop, and start again with another TOML."""
        self.close()
        self.open(toml)

    # --- the doors ---

    def post(self, path: str, body: Any, **headers: str) -> httpx2.Response:
        """POST bytes or text as they are, anything else as JSON."""
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        answer = self.client.post(path, content=content, headers=headers)
        assert isinstance(answer, httpx2.Response)
        return answer

    def ask(self, body: Any, name: str = NAME) -> httpx2.Response:
        """POST to decide, whatever comes back."""
        return self.post(f"/v1/experiments/{name}/decide", body)

    def decide(self, unit: str = "u-17", name: str = NAME, **more: Any) -> dict[str, Any]:
        """A decision."""
        answer = self.ask({"unit": unit} | more, name)
        assert answer.status_code == 200, answer.text
        decision: dict[str, Any] = answer.json()
        return decision

    def report(self, *events: Any) -> dict[str, Any]:
        """What the events door answers to a batch."""
        answer = self.post("/v1/events", list(events))
        assert answer.status_code == 202, answer.text
        accepted: dict[str, Any] = answer.json()
        return accepted

    def refusal(self, event: Any) -> str:
        """Why one event is refused; it must be the only thing wrong, and be counted."""
        answer = self.report(event)
        assert answer["accepted"] == 0
        (rejected,) = answer["rejected"]
        assert rejected["index"] == 0
        return str(rejected["reason"])

    def page(self, name: str = NAME) -> dict[str, Any]:
        """The experiment's page."""
        answer = self.client.get(f"/v1/experiments/{name}")
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        return page

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Every sample of /metrics, by name and labels."""
        text = self.client.get("/metrics").text
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def metric(self, name: str, **labels: str) -> float:
        """One sample; 0 when it is not there."""
        return self.metrics().get((name, frozenset(labels.items())), 0.0)

    def mark(self) -> None:
        """From now on `rise` tells what has been counted."""
        self._marked = self.metrics()

    def rise(self, name: str, **labels: str) -> float:
        """How much a sample has grown since `mark`."""
        sample = (name, frozenset(labels.items()))
        return self.metrics().get(sample, 0.0) - self._marked.get(sample, 0.0)

    # --- time and truth ---

    def later(self, millis: int = STORY) -> None:
        """Let the server's clock be so much later."""
        self.clock.reach(self.clock.now() + millis)

    def settle(self, name: str = NAME) -> dict[str, Any]:
        """Let every open story end, and what was learned be served; the page after that."""
        self.until(lambda page: page["open"] > 0 or page["late"] > 0, name)
        self.later()
        self.until(lambda page: page["open"] == 0, name)
        learn, begin = self.embedded.ring.learn, self.clock.now()

        def served(page: dict[str, Any]) -> bool:
            if learn._published.get(name, 0) >= begin:
                newest = self.embedded.backends.cache.latest(name)
                return newest is not None and newest.version == page["version"]
            learn.touch(name)
            return False

        return self.until(served, name)

    def until(self, holds: Callable[[dict[str, Any]], bool], name: str = NAME) -> dict[str, Any]:
        """The page, once it is so."""
        deadline = time.monotonic() + _PATIENCE
        while not holds(page := self.page(name)):
            assert time.monotonic() < deadline, page
            time.sleep(0.01)
        return page

    def trial(self, unit: str, *kinds: str, name: str = NAME, **more: Any) -> dict[str, Any]:
        """Decide, show, and report outcomes of these kinds."""
        decision = self.decide(unit, name, **more)
        events = [{"kind": kind, "token": decision["token"]} for kind in ("impression", *kinds)]
        assert self.report(*events) == {"accepted": len(events), "rejected": []}
        return decision

    def signer(self) -> Signer:
        """The house's own signer."""
        return self.embedded.service.signer

    def read(self, token: str) -> Decision:
        """What a token says."""
        return self.signer().verify(token)

    def token(self, *, signer: Signer | None = None, age: int = 0, **changes: Any) -> str:
        """A token like one just given out, `age` ms ago, with changes, by this or that signer."""
        decision = self.read(self.decide()["token"])
        at = self.clock.now() - age
        moved = at.to_bytes(6, "big") + decision.tracking_id[6:]
        changed = msgspec.structs.replace(decision, **({"tracking_id": moved} | changes))
        return (signer or self.signer()).sign(changed)

    def do(self, sql: str) -> None:
        """Run a statement on the connection that writes, between its transactions."""
        writer: Any = self.embedded.backends.log
        connection = writer._file._connection
        while connection.in_transaction:
            time.sleep(0.001)
        connection.execute(sql)


@contextmanager
def a_house(data: Path, toml: str = TOP_BUTTON) -> Iterator[House]:
    """A house that is closed again."""
    house = House(data, toml)
    try:
        yield house
    finally:
        house.close()


@contextmanager
def listening(house: House) -> Iterator[int]:
    """The same doors behind a real uvicorn on loopback; its port."""
    config = uvicorn.Config(house.embedded.app(), port=0, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.002)
        yield int(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()


def arms(page: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The arms of a page, by name."""
    return {arm["arm"]: arm for arm in page["arms"]}
