"""A server of a distributed ring, on memory: what it follows, and what it says when it cannot."""

import threading
import time

import msgspec

from croupier.adapters.memory import MemoryLog, MemorySnapshots, MemoryState
from croupier.clock import Clock
from croupier.config.keys import Keys
from croupier.config.services import Stores
from croupier.config.settings import parse_settings
from croupier.ports import ARMS
from croupier.runners.declare import declare
from croupier.runners.distributed.learning import Learner
from croupier.runners.distributed.serving import Server
from croupier.runners.history import History
from tests.apps.house import TOP_BUTTON


def test_a_record_of_a_newer_croupier_is_said_by_health_and_deciding_goes_on() -> None:
    clock = Clock()
    log, shown, settings = MemoryLog(clock), MemorySnapshots(), parse_settings(TOP_BUTTON)
    stores = Stores(clock, log, lambda _: MemoryState(log), shown, shown)
    declare(settings, log, clock)
    learner = Learner(stores, History(log), threading.Event())
    learner.recover()
    learner.refresh()
    server = Server(settings, stores, History(log), Keys({1: bytes(16)}, bytes(16)))
    server.start()
    try:
        assert server.health() is None
        assert server.service.ready
        log.append(ARMS, [msgspec.msgpack.encode({"type": "arm_set", "v": 99})]).result()
        deadline = time.monotonic() + 30
        while server.health() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert "upgrade" in str(server.health())
        assert server.service.ready
    finally:
        server.stop()
