"""HTTP as processes have it: doors behind their gate, a port, and a clean end."""

import os
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn

from croupier.apps.serve.asgi import App
from croupier.apps.serve.candidates import Refreshing
from croupier.apps.serve.doors import make_app
from croupier.apps.serve.gate import Gate
from croupier.apps.serve.hot import HotDoors
from croupier.apps.serve.origins import OwnPages
from croupier.apps.serve.service import Limits, Service
from croupier.config.access import read_access
from croupier.config.errors import ConfigError
from croupier.config.settings import Settings
from croupier.core.duration import SECOND
from croupier.runners.slow import patient

_GIL_SECONDS = 0.0005
"""How soon a decision may take the interpreter from the ring; Python's own 5 ms is too long."""


def limits_of(settings: Settings, oldest: int | None) -> Limits:
    """What a request may be."""
    server = settings.server
    return Limits(server.max_body, server.max_events, server.max_skew, oldest)


def doors_of(settings: Settings, service: Service, tables: Refreshing | None = None) -> App:
    """The ASGI application, behind a gate where there is anything to ask."""
    access = read_access(settings.server, settings.limits, settings.api_keys)
    ordinary = make_app(service, tables)
    if not access.guards:
        return HotDoors(service, OwnPages(ordinary))
    doors = HotDoors(service, ordinary)
    return Gate(access, doors, service.clock.now, service.counters)


def serve(
    settings: Settings,
    address: tuple[str, int],
    start: Callable[[], tuple[App, Callable[[], None]]],
    on_ready: Callable[[str], None],
) -> None:
    """Take the port, `start`, answer until SIGINT or SIGTERM, and stop what was started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    host, port = address
    with _listen(host, port) as listener:
        app, stop = start()
        try:
            sys.setswitchinterval(_GIL_SECONDS)
            config = uvicorn.Config(
                app,
                host=host,
                port=port,
                access_log=False,
                log_config=None,
                timeout_graceful_shutdown=10,
                server_header=False,
                proxy_headers=False,  # the gate asks whom settings trust
                http=patient(settings.server.request_timeout / SECOND),
                ws="none",
            )
            url = f"http://{host}:{listener.getsockname()[1]}"
            server = _Server(config, lambda: on_ready(url))
            # uvicorn raises the signal that stopped it once more, which must not stop us half-way.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: None)
            server.run([listener])
        finally:
            stop()


def _listen(host: str, port: int) -> socket.socket:
    """Take the port before anything else is touched; who calls early waits until we answer."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2_048)
    except OSError as error:
        if isinstance(error, socket.gaierror):
            raise ConfigError(f"host {host!r} cannot be listened on: {error.args[-1]}") from error
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigError(
            f"port {port} on {host} cannot be used ({reason}): choose another with --port"
        ) from error


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
