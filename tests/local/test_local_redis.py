"""Deciding in process from Redis alone: no log, no database, no server at the caller."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from croupier.apps.serve.service import DecideRequest
from croupier.config.keys import Keys, load_shared_keys
from croupier.config.services import Services, Stores, open_stores
from croupier.config.settings import Settings, load_settings
from croupier.local import LocalCroupier
from croupier.runners.declare import declare
from croupier.runners.distributed.learning import Learner
from croupier.runners.distributed.serving import Server
from croupier.runners.history import History
from tests.services.fixtures import Running
from tests.services.servers import Redis
from tests.services.service import Service, free_port

pytestmark = pytest.mark.services

TOML = """
[[experiment]]
name = "row"
slots = 2
arms = ["a", "b", "c", "d"]
default = ["a", "b"]
reward = { click = 1.0 }
refresh = "1s"
groups = { a = "sport", c = "sport" }
diversity = { at_most = 1 }

[[experiment]]
name = "button"
arms = ["x", "y"]
default = "x"
reward = { click = 1.0 }
refresh = "1s"
"""
DEFAULTS = {"row": ["a", "b"], "button": "x"}


class House(NamedTuple):
    """A learner and a server, and what they share."""

    settings: Settings
    stores: Stores
    history: History
    learner: Learner
    server: Server
    keys: Keys
    keys_file: Path
    services: Services

    def declare(self, toml: str) -> None:
        """What `croupier learn` does with another file."""
        file = self.keys_file.with_name("croupier.toml")
        file.write_text(toml)
        declare(load_settings(file), self.stores.log, self.stores.clock)
        self.history.follow()
        self.publish()

    def publish(self) -> None:
        """What `croupier learn` does now and then."""
        self.learner.refresh()
        self.stores.mend(self.learner.learn.published)
        self.stores.declare(self.history.newest())


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Service]:
    """One that may be stopped."""
    redis = Redis(tmp_path / "redis", free_port())
    redis.start()
    yield redis
    redis.stop()


@pytest.fixture
def house(services: Services, own_redis: Service, tmp_path: Path) -> Iterator[House]:
    ours = services._replace(cache=f"{own_redis.url}?prefix=shop")
    stores, file = open_stores(ours), tmp_path / "croupier.toml"
    file.write_text(TOML)
    settings, keys_file = load_settings(file), tmp_path / "croupier.keys"
    declare(settings, stores.log, stores.clock)
    history, keys = History(stores.log), load_shared_keys(keys_file, {})
    learner = Learner(stores, history, threading.Event())
    learner.recover()
    server = Server(settings, open_stores(ours), History(stores.log), keys)
    made = House(settings, stores, history, learner, server, keys, keys_file, ours)
    made.publish()
    server.start()
    yield made
    server.stop()
    stores.close()


def local(house: House, **settings: Any) -> LocalCroupier:
    return LocalCroupier(
        house.services.cache, DEFAULTS, keys=house.keys_file, environment={}, **settings
    )


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_unit_is_shown_what_a_server_would_show_it(house: House) -> None:
    with local(house) as croupier:
        for name in DEFAULTS:
            for unit in map(str, range(50)):
                ours = croupier.decide(name, unit)
                theirs = house.server.service.decide(name, DecideRequest(unit=unit))
                assert not ours.is_default
                assert not {"a", "c"} <= set(theirs.names)
                assert tuple(shown.arm for shown in ours.slate) == theirs.names
                signed = house.server.service.signer.verify(ours.token)
                assert signed.slate == theirs.decision.slate
                assert signed.propensities == theirs.decision.propensities
                assert signed.snapshot == theirs.decision.snapshot


def test_what_is_published_is_heard_of_at_once_and_what_is_declared_is_followed(
    house: House,
) -> None:
    more = TOML.replace('["x", "y"]', '["x", "y", "new"]')
    with local(house, every=50.0) as croupier:
        assert croupier.decide("button", "u").version == 1
        house.declare(more)
        until(lambda: croupier.decide("button", "u").version == 2)  # long before `every`
    with local(house, every=0.1) as croupier:
        house.declare(more + TOML.split("\n\n")[1].replace('"button"', '"another"'))
        until(lambda: not croupier.decide("another", "u", default="x").is_default)
        assert croupier.decide("button", "u", eligible=["new"]).arm == "new"


def test_what_redis_forgets_or_does_not_answer_is_kept(house: House, own_redis: Service) -> None:
    with local(house, every=0.05, stale_after=1.0) as croupier:
        before = croupier.decide("row", "u")
        house.stores.front._redis.flushall()  # type: ignore[attr-defined]
        looks = croupier.stats()["looks"]
        until(lambda: croupier.stats()["looks"] > looks + 3)
        assert croupier.decide("row", "u").slate == before.slate
        own_redis.kill()
        until(lambda: croupier.decide("row", "u").degraded)
        assert croupier.decide("row", "u").slate == before.slate
        own_redis.start()
        house.publish()
        until(lambda: not croupier.decide("row", "u").degraded)
    with local(house) as fresh:
        assert fresh.decide("row", "u").slate == before.slate


def test_nothing_published_is_a_default(running: Running, tmp_path: Path) -> None:
    load_shared_keys(tmp_path / "k.keys", {})
    url = f"{running(Redis).url}?prefix=nobody"
    with LocalCroupier(url, DEFAULTS, keys=tmp_path / "k.keys", environment={}) as croupier:
        decided = croupier.decide("button", "u")
        assert (decided.arm, decided.is_default, decided.reason) == ("x", True, "refused")
    with LocalCroupier("redis://127.0.0.1:1", DEFAULTS, keys=tmp_path / "k.keys") as croupier:
        assert croupier.decide("button", "u").reason == "unreachable"
