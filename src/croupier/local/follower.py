"""What decisions are made from, followed by a thread of each process's own."""

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from croupier.apps.serve.runner import Alone
from croupier.apps.serve.service import Limits, Service, TrackingIds
from croupier.client import processes
from croupier.clock import Clock
from croupier.config.backends import Backends
from croupier.config.keys import Keys
from croupier.core.declarations import Declarations
from croupier.core.snapshot import Snapshot
from croupier.core.token import Signer
from croupier.local.source import Source, check_source, open_source

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
        self,
        url: str,
        keys: Path,
        environment: Mapping[str, str],
        every: float,
        stale_after: float,
    ) -> None:
        check_source(url)  # ConfigError now, rather than a default for ever
        self._url, self._environment, self._keys_file = url, environment, keys
        self._shown = _without_password(url)
        self._every, self._stale_after = every, stale_after
        self._keys: Keys | None = None
        self._declarations, self._snapshots = Declarations(), dict[str, Snapshot]()
        self._stamp: object = None
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
        return f"{self._shown} was last read {age:.0f} s ago: {self.error}"

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
        source: Source | None = None
        opened = 0.0
        while not stop.is_set():
            try:
                if source is None:
                    source = open_source(self._url, self._keys_file, self._stamp)
                    opened = time.monotonic()
                self._look(source)
                old = time.monotonic() - opened > _REOPEN_SECONDS
                failed = ""
            except Exception as error:  # noqa: BLE001 - decisions go on with what there is
                old, failed = True, f"{type(error).__name__}: {error}"
            self._note(failed)
            if source is not None and old and not source.lasting:
                source.close()
                source = None
            looked.set()
            if source is None or failed:
                stop.wait(self._every)
            else:
                source.rest(stop, self._held(), self._every)
        if source is not None:
            source.close()

    def _note(self, failed: str) -> None:
        self.looks += 1
        if failed:
            self.failures += 1
            if failed != self.error:
                _LOG.warning("%s cannot be read, known things stay in use: %s", self._shown, failed)
        else:
            if self.error and self.failures:
                _LOG.warning("%s is read again", self._shown)
            self._looked_at = time.monotonic()
        self.error = failed

    def _look(self, source: Source) -> None:
        """Take what is new; a new service where declarations or keys have changed."""
        keys, stamp = source.keys(self._environment), source.stamp()
        changed = self._service is None or keys != self._keys or stamp != self._stamp
        if changed:
            self._declarations = source.declarations()
        for snapshot in source.snapshots(self._declarations.names(), self._held()):
            self._snapshots[snapshot.experiment] = snapshot
            if self._service is not None and not changed:
                self._service.accept(snapshot)
        if changed:
            self._keys, self._stamp = keys, stamp
            self._service = self._make_service(source.world, keys)

    def _held(self) -> dict[str, int]:
        return {name: snapshot.version for name, snapshot in self._snapshots.items()}

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
            runner=Alone(self.health),
        )
        service.tracking_ids = self._tracking_ids
        for snapshot in self._snapshots.values():
            service.accept(snapshot)
        return service


def _without_password(url: str) -> str:
    """The URL as it may be logged.

    >>> _without_password("redis://me:secret@host:6379/0")
    'redis://host:6379/0'
    """
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
