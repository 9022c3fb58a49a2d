"""serve as a process: decides from the cache's snapshots, appends to the log."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping

from croupier.apps.serve.runner import Alone, Runner
from croupier.apps.serve.service import Service
from croupier.config.keys import Keys
from croupier.config.services import Stores
from croupier.config.settings import Settings
from croupier.core.experiment import Experiment
from croupier.core.token import Signer
from croupier.ports import Positions, UnavailableError
from croupier.runners.candidates import tables_of
from croupier.runners.history import History
from croupier.runners.http import limits_of
from croupier.runners.recorder import ArmRecorder

_LOG = logging.getLogger(__name__)
_WAIT_SECONDS, _FOLLOW_SECONDS = 1.0, 1.0


class Newest(Mapping[str, Experiment]):
    """The experiments that were ever declared, each as it was declared last."""

    def __init__(self, history: History) -> None:
        self._declarations = history.declarations

    def __getitem__(self, name: str) -> Experiment:
        return self._declarations.latest(name).spec

    def __iter__(self) -> Iterator[str]:
        return iter(self._declarations.names())

    def __len__(self) -> int:
        return len(self._declarations.names())


def service_of(
    settings: Settings,
    stores: Stores,
    history: History,
    keys: Keys,
    runner: Runner | None = None,
) -> Service:
    """What a process knows to decide and to check reports; it keeps up with what is declared."""
    service = Service(
        clock=stores.clock,
        log=stores.log,
        states=stores.states("learn"),
        cache=stores.cache,
        declarations=history.declarations,
        experiments=Newest(history),
        signer=Signer(keys.token, history.declarations.names()),
        unit_key=keys.unit,
        limits=limits_of(settings, settings.log.retention),
        runner=runner or Alone(one_clock=False),
    )

    def changed(name: str) -> None:
        service.signer.admit(name)
        service.know_arms(name)
        service.redeclare(name)

    history.on_change.append(changed)
    return service


class Server:
    """One of several like servers: no state but what it has read, and the counters.

    While the cache is away it decides from the snapshots that it has, and says so: such decisions
    are degraded, and train, for their propensities are exact.
    """

    one_clock = False

    def __init__(self, settings: Settings, stores: Stores, history: History, keys: Keys) -> None:
        self._stores, self._history = stores, history
        self._away: str | None = None
        self._broken: str | None = None
        self._stop = threading.Event()
        self.record = ArmRecorder(stores.log, stores.clock, history).record
        self.service = service_of(settings, stores, history, keys, self)
        self.candidates = tables_of(
            settings,
            self.service.experiments,
            history.declarations,
            self.record,
            self.service.counters,
        )
        self._threads = [
            threading.Thread(
                target=self._following,
                args=[target],
                name=f"croupier{target.__name__}",
                daemon=True,
            )
            for target in (self._snapshots, self._declared)
        ]

    def start(self) -> None:
        """Read the newest snapshots, then keep up with them."""
        self._look(0.0)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop reading; let go of the stores."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._stores.close()

    def health(self) -> str | None:
        """Why nothing new is heard of."""
        return self._broken or self._away

    def behind(self, positions: Positions) -> bool:  # noqa: ARG002 - a Runner
        """No: join and observe lie between, there is nothing to wait for."""
        return False

    def _following(self, follow: Callable[[], None]) -> None:
        """Follow; what cannot pass, such as a newer Croupier's record, is said by /healthz."""
        try:
            follow()
        except Exception as error:  # noqa: BLE001 - whatever it was, deciding goes on and says so
            self._broken = f"{type(error).__name__}: {error}"
            _LOG.exception("nothing new is followed; deciding goes on with what is known")

    def _snapshots(self) -> None:
        while not self._stop.is_set():
            self._look(_WAIT_SECONDS)

    def _look(self, wait: float) -> None:
        names, service = self._history.declarations.names(), self.service
        served = {name: one.version for name in names if (one := service.snapshot(name))}
        try:
            for snapshot in self._stores.front.newer(served, wait):
                if snapshot.experiment in names:
                    service.accept(snapshot)
        except UnavailableError as error:
            if self._away is None:
                _LOG.error("deciding from the last snapshots: %s", error)
            self._away = f"snapshots: {error}"
            self._stop.wait(_WAIT_SECONDS)
        else:
            self._away = None

    def _declared(self) -> None:
        while not self._stop.wait(_FOLLOW_SECONDS):
            try:
                self._history.follow()
            except UnavailableError as error:
                _LOG.warning("declarations are read again later: %s", error)
