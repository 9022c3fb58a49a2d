"""The embedded runner: the ring and its doors in one process, on one file."""

import logging
import threading
from functools import partial
from pathlib import Path

from croupier.apps.candidates import CandidateTables
from croupier.apps.serve.arms import record_arms
from croupier.apps.serve.asgi import App
from croupier.apps.serve.service import Service
from croupier.config.backends import Backends
from croupier.config.candidates import open_table
from croupier.config.keys import Keys
from croupier.config.settings import Settings
from croupier.core.duration import format_duration
from croupier.core.token import Signer
from croupier.ports import EVENTS, FUNNELS, OBSERVATIONS, UnavailableError
from croupier.runners.declare import declare
from croupier.runners.http import doors_of, limits_of
from croupier.runners.nightly import Nightly
from croupier.runners.ring import Ring

_LOG = logging.getLogger(__name__)
_TRIM_SECONDS = 600.0


class Embedded:
    """One ring over one set of backends: opened, recovered, and closed in order."""

    def __init__(self, settings: Settings, backends: Backends, keys: Keys) -> None:
        self.settings, self.backends = settings, backends
        self.declarations = declare(settings, backends.log, backends.clock)
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
        )
        names = [spec.name for spec in settings.experiments]
        self.ring = Ring(backends, self.declarations, names, self.service.accept)
        self.service.health = lambda: self.ring.error
        self.service.on_arms = self.ring.learn.touch
        self.candidates = self._candidates()
        self._nightly = Nightly(
            self.candidates,
            {
                spec.name: spec.candidates.schedule
                for spec in settings.experiments
                if spec.candidates
            },
            backends.clock,
        )
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

    def _candidates(self) -> CandidateTables:
        folder = Path(self.settings.folder)
        return CandidateTables(
            specs=self.service.experiments,
            tables={
                spec.name: open_table(spec.candidates.source, folder)
                for spec in self.settings.experiments
                if spec.candidates
            },
            declarations=self.declarations,
            record=partial(record_arms, self.service),
            counters=self.service.counters,
        )

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
