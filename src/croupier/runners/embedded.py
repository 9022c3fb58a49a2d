"""The embedded runner: the ring and its doors in one process, on one file."""

import logging
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import uvicorn

from croupier.apps.serve.doors import make_app
from croupier.apps.serve.hot import App, HotDoors
from croupier.apps.serve.service import Limits, Service
from croupier.config.backends import Backends, open_backends
from croupier.config.errors import ConfigError
from croupier.config.keys import Keys
from croupier.config.settings import Settings
from croupier.core import codec
from croupier.core.declarations import Declarations
from croupier.core.experiment import MOST_ARMS
from croupier.core.records import ArmSet, Declaration
from croupier.core.token import Signer
from croupier.ports import ARMS, EVENTS, FUNNELS, OBSERVATIONS
from croupier.runners.ring import Ring

_LOG = logging.getLogger(__name__)
_ENTRIES = 1_000
_TRIM_SECONDS = 600.0
_GIL_SECONDS = 0.0005
"""How soon a decision may take the interpreter from the ring; Python's own 5 ms is too long."""


class Embedded:
    """One ring over one set of backends: opened, recovered, and closed in order."""

    def __init__(self, settings: Settings, backends: Backends, keys: Keys) -> None:
        self.settings, self.backends = settings, backends
        self.declarations = declare(settings, backends)
        self.service = Service(
            clock=backends.clock,
            log=backends.log,
            states=backends.states,
            cache=backends.cache,
            declarations=self.declarations,
            experiments={spec.name: spec for spec in settings.experiments},
            signer=Signer(keys.token, self.declarations.names()),
            unit_key=keys.unit,
            limits=Limits(
                settings.server.max_body,
                settings.server.max_events,
                settings.server.max_skew,
                settings.log.retention,
            ),
        )
        names = [spec.name for spec in settings.experiments]
        self.ring = Ring(backends, self.declarations, names, self.service.accept)
        self.service.health = lambda: self.ring.error
        self._thread = threading.Thread(target=self.ring.run, name="croupier-ring", daemon=True)
        self._trimmer = threading.Thread(target=self._trim, name="croupier-trim", daemon=True)
        self._stopped = threading.Event()

    def app(self) -> App:
        """The ASGI application."""
        return HotDoors(self.service, make_app(self.service))

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
        if self.settings.log.retention is not None:
            self._trimmer.start()

    def stop(self) -> None:
        """Let the ring finish its step, make everything durable, close the backends."""
        self._stopped.set()
        self.ring.stop()
        if self._thread.is_alive():
            self._thread.join()
        self.backends.close()

    def _trim(self) -> None:
        """Drop what is older than the retention, but nothing that is still to be read."""
        retention = self.settings.log.retention or 0
        while not self._stopped.is_set():
            before = self.ring.join.time.value - retention
            for topic in (EVENTS, FUNNELS, OBSERVATIONS):
                self.backends.log.trim(topic, before)
            self.backends.cache.trim(before)
            self._stopped.wait(_TRIM_SECONDS)


def read_declarations(backends: Backends) -> Declarations:
    """What was ever declared."""
    declarations = Declarations()
    positions = {0: 0}
    while entries := backends.log.read(ARMS, positions, _ENTRIES):
        for record in codec.decode_all(entry.payload for entry in entries):
            declarations.apply(record)
        positions = {0: entries[-1].offset + 1}
    return declarations


def declare(settings: Settings, backends: Backends) -> Declarations:
    """Read what was ever declared, and append what the settings change."""
    declarations = read_declarations(backends)
    now = backends.clock.now()
    for spec in settings.experiments:
        changes = list(declarations.changes(spec, now))
        for record in changes:
            if isinstance(record, ArmSet) and len(record.arms) > MOST_ARMS:
                raise ConfigError(
                    f'experiment "{spec.name}": arms: {len(record.arms)} arms were ever declared, '
                    f"numbers end at {MOST_ARMS}: continue under a new name"
                )
        if changes:
            backends.log.append(ARMS, [codec.encode(record) for record in changes]).result()
        for record in changes:
            declarations.apply(record)
            _LOG.info("%s: declared %s", spec.name, _in_words(record))
    return declarations


def _in_words(record: Declaration | ArmSet) -> str:
    if isinstance(record, ArmSet):
        return "arms " + ", ".join(arm.name for arm in record.arms if arm.status == "active")
    return f"version {record.version}, reward version {record.reward_version}"


def up(
    settings: Settings,
    data: Path,
    keys: Keys,
    host: str,
    port: int,
    on_ready: Callable[[str], None],
) -> None:
    """Run until SIGINT or SIGTERM; what is open then is recovered at the next start."""
    sys.setswitchinterval(_GIL_SECONDS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    embedded = Embedded(settings, open_backends(data), keys)
    try:
        embedded.start()
        config = uvicorn.Config(
            embedded.app(),
            host=host,
            port=port,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=10,
            server_header=False,
        )
        server = _Server(config, lambda: on_ready(_address(server, host)))
        # uvicorn raises the signal that stopped it once more, which must not stop us half-way.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        server.run()
    finally:
        embedded.stop()


class _Server(uvicorn.Server):
    """uvicorn, telling when it listens."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Listen, then say so."""
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            self._on_ready()


def _address(server: uvicorn.Server, host: str) -> str:
    port = server.servers[0].sockets[0].getsockname()[1]
    return f"http://{host}:{port}"
