"""The embedded runner: the ring and its doors in one process, on one file."""

import logging
import threading

from croupier.apps.serve.asgi import App
from croupier.apps.serve.service import Service
from croupier.config.backends import Backends
from croupier.config.keys import Keys
from croupier.config.settings import Settings
from croupier.core.duration import format_duration
from croupier.core.token import Signer
from croupier.ports import EVENTS, FUNNELS, OBSERVATIONS, Positions, UnavailableError
from croupier.runners.candidates import nightly, tables_of
from croupier.runners.declare import declare
from croupier.runners.http import doors_of, limits_of
from croupier.runners.recorder import ArmRecorder
from croupier.runners.ring import Ring

_LOG = logging.getLogger(__name__)
_TRIM_SECONDS = 600.0


class Embedded:
    """One ring over one set of backends: opened, recovered, and closed in order."""

    one_clock = True

    def __init__(self, settings: Settings, backends: Backends, keys: Keys) -> None:
        self.settings, self.backends = settings, backends
        history = declare(settings, backends.log, backends.clock)
        self.declarations = history.declarations
        self.retention = self._usable_retention()
        self.service = Service(
            clock=backends.clock,
            log=backends.log,
            states=backends.states,
            cache=backends.cache,
            declarations=self.declarations,
            experiments={spec.name: spec for spec in settings.experiments},
            signer=Signer(keys.token, self.declarations.names()),
            unit_key=keys.unit,
            limits=limits_of(settings, self.retention),
            runner=self,
        )
        names = [spec.name for spec in settings.experiments]
        self.ring = Ring(backends, self.declarations, names, self.service.accept)
        history.on_change += [self.service.know_arms, self.ring.learn.touch]
        self.record = ArmRecorder(backends.log, backends.clock, history).record
        self.candidates = tables_of(
            settings,
            self.service.experiments,
            self.declarations,
            self.record,
            self.service.counters,
        )
        self._nightly = nightly(settings, self.candidates, backends.clock)
        self._thread = threading.Thread(target=self.ring.run, name="croupier-ring", daemon=True)
        self._trimmer = threading.Thread(target=self._trim, name="croupier-trim", daemon=True)
        self._stopped = threading.Event()

    def _usable_retention(self) -> int | None:
        """The declared retention, or longer where stories of an earlier declaration need it."""
        declared, longest = self.settings.log.retention, self.declarations.longest_story()
        if declared is None or declared >= longest:
            return declared
        _LOG.warning(
            "retention %s is shorter than stories of an earlier declaration: %s is kept",
            format_duration(declared),
            format_duration(longest),
        )
        return longest

    def health(self) -> str | None:
        """What keeps learning from going on."""
        return self.ring.error

    def behind(self, positions: Positions) -> bool:
        """Whether learning that stands there has not read all that was reported."""
        ends = self.backends.log.ends(EVENTS)
        return any(positions.get(partition, 0) < end for partition, end in ends.items())

    def app(self) -> App:
        """The ASGI application, behind a gate where there is anything to ask."""
        return doors_of(self.settings, self.service, self.candidates)

    def start(self) -> None:
        """Serve the last snapshots at once; recover, and let the ring turn, behind them.

        Where an experiment has no snapshot yet, it is made first.
        """
        for spec in self.settings.experiments:
            snapshot = self.backends.cache.latest(spec.name)
            if snapshot is not None:
                self.service.accept(snapshot)
        if not self.service.ready:
            self.ring.recover()
        self._thread.start()
        self._nightly.start()
        if self.retention is not None:
            self._trimmer.start()

    def stop(self) -> None:
        """Let the ring finish its step, make everything durable, close the backends."""
        self._stopped.set()
        self._nightly.stop()
        self.ring.stop()
        if self._thread.is_alive():
            self._thread.join()
        self.backends.close()

    def _trim(self) -> None:
        """Drop what is older than the retention, but nothing that is still to be read."""
        while not self._stopped.wait(_TRIM_SECONDS):
            try:
                self._trim_once()
            except UnavailableError as error:
                _LOG.warning("trimming again later: %s", error)

    def _trim_once(self) -> None:
        before = self.ring.join.time.value - (self.retention or 0)
        for topic in (EVENTS, FUNNELS, OBSERVATIONS):
            self.backends.log.trim(topic, before)
        self.backends.states.trim_late(before)
        self.backends.cache.trim(before)
