"""The process behind `croupier up`: its port, its signals, its end."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import uvicorn

from croupier.config.backends import open_backends
from croupier.config.errors import ConfigError
from croupier.config.keys import Keys
from croupier.config.settings import Settings
from croupier.core.duration import SECOND
from croupier.runners.embedded import Embedded
from croupier.runners.slow import patient

_GIL_SECONDS = 0.0005
"""How soon a decision may take the interpreter from the ring; Python's own 5 ms is too long."""


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
    listener = _listen(host, port)
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
            proxy_headers=False,  # the gate asks whom settings trust
            http=patient(settings.server.request_timeout / SECOND),
            ws="none",
        )
        address = f"http://{host}:{listener.getsockname()[1]}"
        server = _Server(config, lambda: on_ready(address))
        # uvicorn raises the signal that stopped it once more, which must not stop us half-way.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        server.run([listener])
    finally:
        embedded.stop()


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
