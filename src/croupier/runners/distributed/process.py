"""The processes of a distributed ring, each until it is told to stop."""

import logging
import signal
import threading
from collections.abc import Callable
from typing import Literal

from croupier.apps.serve.asgi import App
from croupier.config.keys import Keys
from croupier.config.services import Services, Stores, open_stores
from croupier.config.settings import Settings
from croupier.core import codec
from croupier.core.records import Tick
from croupier.ports import EVENTS, FUNNELS
from croupier.runners.candidates import scheduled
from croupier.runners.declare import declare
from croupier.runners.distributed.learning import Learner
from croupier.runners.distributed.parts import JoinPart, ObservePart
from croupier.runners.distributed.serving import Server
from croupier.runners.distributed.share import Share
from croupier.runners.distributed.upkeep import Upkeep
from croupier.runners.distributed.worker import StoppedError, Worker, insist, stoppable
from croupier.runners.history import History
from croupier.runners.http import doors_of, serve

_LOG = logging.getLogger(__name__)
_TICK = codec.encode(Tick())
_TICK_EVERY = 1_000
_IDLE_SECONDS = 0.05


def run_server(
    settings: Settings,
    services: Services,
    keys: Keys,
    address: tuple[str, int],
    on_ready: Callable[[str], None],
) -> None:
    """serve: as many as there are, behind a balancer."""

    def start() -> tuple[App, Callable[[], None]]:
        stores = insist(lambda: open_stores(services), threading.Event())
        history = insist(lambda: History(stores.log), threading.Event())
        wait_for_declarations(settings, history, threading.Event())
        server = Server(settings, stores, history, keys)
        server.start()
        return doors_of(settings, server.service, server.candidates), server.stop

    serve(settings, address, start, on_ready)


@stoppable()
def run_worker(
    app: Literal["join", "observe"], services: Services, share: Share, on_ready: Callable[[], None]
) -> None:
    """Join or observe: a share of the partitions."""
    stop = told_to_stop()
    stores = insist(lambda: open_stores(services), stop)
    try:
        events = insist(lambda: stores.log.ends(EVENTS), stop)
        funnels = insist(lambda: stores.log.ends(FUNNELS), stop)
        parts = share.among(events if app == "join" else funnels)
        insist(lambda: stores.hold([f"{app}.{number}" for number in parts]), stop)
        history = insist(lambda: History(stores.log), stop)
        make = JoinPart if app == "join" else ObservePart
        worker = Worker(app, make, stores, history, parts, events, stop)
        worker.recover()
        on_ready()
        ticker = Ticker(stores, worker) if app == "join" else None
        while not worker.stop.is_set():
            busy = worker.step()
            if ticker is not None:
                ticker.turn()
            if not busy:
                worker.stop.wait(_IDLE_SECONDS)
    finally:
        stores.close()


@stoppable()
def run_learner(settings: Settings, services: Services, on_ready: Callable[[], None]) -> None:
    """learn: declares what the settings say, adds, publishes. There is one; a second waits."""
    stop = told_to_stop()
    stores = insist(lambda: open_stores(services), stop)
    try:
        insist(lambda: stores.hold(["learn"]), stop)
        history = insist(lambda: declare(settings, stores.log, stores.clock), stop)
        learner = insist(lambda: Learner(stores, history, stop, settings.log), stop)
        learner.recover()
        on_ready()
        upkeep = Upkeep(stores, history, learner)
        with scheduled(settings, stores.log, stores.clock, history):
            while not learner.stop.is_set():
                busy = learner.step()
                upkeep.turn()
                if not busy:
                    learner.stop.wait(_IDLE_SECONDS)
    finally:
        stores.close()


class Ticker:
    """Lets time pass on every event partition: a tick a second where nobody else writes.

    Whether a partition is silent is told by our own clock alone: the broker's may be elsewhere.
    """

    def __init__(self, stores: Stores, worker: Worker) -> None:
        self._stores, self._worker = stores, worker
        self._heard, self._since = -1, 0

    def turn(self) -> None:
        """Append a tick when one of our partitions has been silent for a second."""
        now = self._stores.clock.now()
        heard = min((place.part.time.value for place in self._worker.places.values()), default=0)
        if heard != self._heard:
            self._heard, self._since = heard, now
        elif now - self._since >= _TICK_EVERY:
            self._since = now
            insist(lambda: self._stores.log.append(EVENTS, [_TICK]).result(), self._worker.stop)


def wait_for_declarations(settings: Settings, history: History, wait: threading.Event) -> None:
    """Until `learn` has declared what the settings name; StoppedError when `wait` is set."""
    said = False
    while True:
        insist(history.follow, wait)
        known = set(history.declarations.names())
        missing = [spec.name for spec in settings.experiments if spec.name not in known]
        if not missing:
            return
        if not said:
            _LOG.info("waiting until `croupier learn` declares %s", ", ".join(missing))
            said = True
        if wait.wait(0.5):
            raise StoppedError("nothing is declared yet")


def told_to_stop() -> threading.Event:
    """Set by SIGINT and SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
