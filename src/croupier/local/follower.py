"""What decisions are made from, followed by a thread of each process's own."""

import logging
import threading
import time
from collections.abc import Mapping

from croupier.apps.serve.service import Limits, Service, TrackingIds
from croupier.client import processes
from croupier.clock import Clock
from croupier.config.backends import Backends, data_file, open_backends
from croupier.config.keys import Keys, read_keys
from croupier.core.declarations import Declarations
from croupier.core.snapshot import Snapshot
from croupier.core.token import Signer
from croupier.ports import ARMS, Positions
from croupier.runners.declare import read_declarations

_LOG = logging.getLogger("croupier.local")
_REOPEN_SECONDS = 60.0
"""A data file may be put back from a backup while we hold the old one."""
_NO_REQUESTS = Limits(body=0, events=0, skew=0, oldest=None)


class Follower:
    """Reads what a server publishes, again and again, in a thread of each process's own.

    Only that thread touches the outside. What it has read stays in use when it can read no more:
    then `health` says since when, and decisions are flagged as degraded.
    """

    def __init__(
        self, url: str, environment: Mapping[str, str], every: float, stale_after: float
    ) -> None:
        data_file(url)  # ConfigError now, rather than a default for ever
        self._url, self._environment = url, environment
        self._every, self._stale_after = every, stale_after
        self._keys: Keys | None = None
        self._declarations, self._snapshots = Declarations(), dict[str, Snapshot]()
        self._ends: Positions = {}
        self._closed, self.error = False, "nothing was read yet"
        self._service: Service | None = None
        self.after_fork()
        processes.watch(self)

    def after_fork(self) -> None:
        """Decide on with what the parent has read, by a clock and ids of our own."""
        self._starting, self._stop = threading.RLock(), threading.Event()
        self._looked = threading.Event()
        self._thread: threading.Thread | None = None
        self._clock, self._tracking_ids = Clock(), TrackingIds()
        self._looked_at = time.monotonic()
        self.looks = self.failures = 0
        if self._service is not None and self._keys is not None:
            self._service = self._make_service(self._service, self._keys)

    def service(self) -> Service | None:
        """What decides, or None while nothing could be read; starts to follow in each process."""
        if self._thread is None and not self._closed:
            self._start()
        return self._service

    def wait(self, timeout: float) -> bool:
        """Whether the first look was over in so many seconds; it may have failed."""
        self.service()
        return self._looked.wait(timeout)

    def health(self) -> str | None:
        """Why what we decide from may be old, or None."""
        age = time.monotonic() - self._looked_at
        if age <= self._stale_after:
            return None
        return f"{self._url} was last read {age:.0f} s ago: {self.error}"

    def stats(self) -> dict[str, int]:
        """How often it looked, how long ago it last saw all, and whether that is too long."""
        return {
            "looks": self.looks,
            "looks_failed": self.failures,
            "look_age_ms": round((time.monotonic() - self._looked_at) * 1000),
            "is_degraded": int(self.health() is not None),
        }

    def close(self) -> None:
        """Follow no more."""
        self._closed = True
        self._stop.set()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(
                    target=self._run,
                    args=(self._stop, self._looked),
                    name="croupier-local",
                    daemon=True,
                )
                thread.start()
                self._thread = thread

    # --- in the thread ----------------------------------------------------------------------------

    def _run(self, stop: threading.Event, looked: threading.Event) -> None:
        backends: Backends | None = None
        opened = 0.0
        while not stop.is_set():
            try:
                if backends is None:
                    backends, opened = open_backends(self._url, read_only=True), time.monotonic()
                self._look(backends)
                old = time.monotonic() - opened > _REOPEN_SECONDS
                failed = ""
            except Exception as error:  # noqa: BLE001 - decisions go on with what there is
                old, failed = True, f"{type(error).__name__}: {error}"
            self._note(failed)
            if backends is not None and old:
                backends.close()
                backends = None
            looked.set()
            stop.wait(self._every)
        if backends is not None:
            backends.close()

    def _note(self, failed: str) -> None:
        self.looks += 1
        if failed:
            self.failures += 1
            if failed != self.error:
                _LOG.warning("%s cannot be read, what is known stays in use: %s", self._url, failed)
        else:
            if self.error and self.failures:
                _LOG.warning("%s is read again", self._url)
            self._looked_at = time.monotonic()
        self.error = failed

    def _look(self, backends: Backends) -> None:
        """Take what is new; a new service where declarations or keys have changed."""
        keys, ends = read_keys(self._url, self._environment), backends.log.ends(ARMS)
        changed = self._service is None or keys != self._keys or ends != self._ends
        if changed:
            self._declarations = read_declarations(backends)
        for name in self._declarations.names():
            snapshot = backends.cache.latest(name)
            if snapshot is not None:
                self._snapshots[name] = snapshot
                if self._service is not None and not changed:
                    self._service.accept(snapshot)
        if changed:
            self._keys, self._ends = keys, ends
            self._service = self._make_service(backends, keys)

    def _make_service(self, world: Backends | Service, keys: Keys) -> Service:
        """What a server decides with, from what was read last."""
        book = self._declarations
        service = Service(
            clock=self._clock,
            log=world.log,
            states=world.states,
            cache=world.cache,
            declarations=book,
            experiments={name: book.latest(name).spec for name in book.names()},
            signer=Signer(keys.token, book.names()),
            unit_key=keys.unit,
            limits=_NO_REQUESTS,
        )
        service.tracking_ids, service.health = self._tracking_ids, self.health
        for snapshot in self._snapshots.values():
            service.accept(snapshot)
        return service
