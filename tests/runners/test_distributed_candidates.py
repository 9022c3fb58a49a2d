"""Arms from a table in a distributed ring: a schedule beside learn, a door at every server."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from croupier.adapters.memory import MemoryLog, MemorySnapshots, MemoryState
from croupier.apps.serve.doors import make_app
from croupier.clock import Clock
from croupier.config.keys import Keys
from croupier.config.services import Stores
from croupier.config.settings import load_settings
from croupier.runners.candidates import scheduled
from croupier.runners.declare import declare
from croupier.runners.distributed.learning import Learner
from croupier.runners.distributed.serving import Server
from croupier.runners.history import History
from tests.apps.house import NAME, TOP_BUTTON

DOOR = f"/v1/experiments/{NAME}/candidates/refresh"
TOML = (
    TOP_BUTTON.replace('arms = ["install", "free-trial", "see-recipes"]\n', "")
    + '[experiment.candidates]\nsource = "arms.csv"\nschedule = "1s"\n'
)


class Town:
    """learn with its schedule, and a server, on memory; the table is a file."""

    def __init__(self, folder: Path) -> None:
        self.table = folder / "arms.csv"
        self.write("install", "free-trial")
        (folder / "croupier.toml").write_text(TOML)
        self.settings, clock = load_settings(folder / "croupier.toml"), Clock()
        log, shown = MemoryLog(clock), MemorySnapshots()
        self.stores = Stores(clock, log, lambda _: MemoryState(log), shown, shown)
        self.history = declare(self.settings, log, clock)
        self.learner = Learner(self.stores, self.history, threading.Event())
        self.learner.recover()
        self.learner.refresh()
        keys = Keys({1: bytes(16)}, bytes(16))
        self.server = Server(self.settings, self.stores, History(log), keys)
        self.door = TestClient(make_app(self.server.service, self.server.candidates))

    def write(self, *arms: str) -> None:
        """Another table in the place of the one before."""
        whole = self.table.with_suffix(".new")
        whole.write_text("\n".join(["arm", *arms, ""]))
        whole.replace(self.table)

    def active(self) -> set[str]:
        """The arms that the next snapshot draws from."""
        self.learner.refresh()
        snapshot = self.stores.cache.latest(NAME)
        assert snapshot is not None
        return set(snapshot.names)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path)
    made.server.start()
    yield made
    made.server.stop()


def test_the_schedule_beside_learn_makes_the_arms_what_the_table_lists(town: Town) -> None:
    log, clock = town.stores.log, town.stores.clock
    assert town.active() == {"install", "free-trial"}
    town.write("install", "free-trial", "see-recipes")
    with scheduled(town.settings, log, clock, town.history):
        deadline = time.monotonic() + 30
        while town.active() != {"install", "free-trial", "see-recipes"}:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert History(log).declarations.arms(NAME).by == "candidates"


def test_any_server_refreshes_when_it_is_asked(town: Town) -> None:
    town.write("install", "see-recipes")
    seen = town.door.post(DOOR, json={"dry_run": True}).json()
    assert seen["change"] == {
        "put": ["see-recipes"],
        "dropped": ["free-trial"],
        "held": [],
        "regrouped": {},
    }
    assert town.door.post(DOOR).json()["outcome"] == "changed"
    town.history.follow()
    assert town.active() == {"install", "see-recipes"}
    town.table.unlink()
    answer = town.door.post(DOOR)
    assert answer.status_code == 503
    assert "arms.csv" in answer.json()["error"]
    told = 'croupier_candidates_refreshes_total{experiment="top-button",outcome="unreadable"} 1.0'
    assert told in town.door.get("/metrics").text


def test_what_is_declared_anew_needs_no_new_server(town: Town) -> None:
    """The learner's file has become one of arms: the server's door says so, whatever its own is."""
    plain = load_settings(_plain(town.table.parent))
    declare(plain, town.stores.log, town.stores.clock)
    town.server._history.follow()
    answer = town.door.post(DOOR)
    assert answer.status_code == 409
    assert answer.json()["error"] == f"{NAME} declares arms, not candidates"


def _plain(folder: Path) -> Path:
    file = folder / "plain.toml"
    file.write_text(TOP_BUTTON)
    return file
