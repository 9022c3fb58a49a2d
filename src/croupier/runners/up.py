"""The process behind `croupier up`: the embedded ring and its doors."""

from collections.abc import Callable
from pathlib import Path

from croupier.apps.serve.asgi import App
from croupier.config.backends import open_backends
from croupier.config.keys import Keys
from croupier.config.settings import Settings
from croupier.runners.embedded import Embedded
from croupier.runners.http import serve


def up(
    settings: Settings,
    data: Path,
    keys: Callable[[], Keys],
    address: tuple[str, int],
    on_ready: Callable[[str], None],
) -> None:
    """Run until SIGINT or SIGTERM; what is open then is recovered at the next start.

    `keys` are asked for, and perhaps made, when the port is ours.
    """

    def start() -> tuple[App, Callable[[], None]]:
        secret = keys()
        embedded = Embedded(settings, open_backends(data), secret)
        try:
            embedded.start()
        except BaseException:
            embedded.stop()
            raise
        return embedded.app(), embedded.stop

    serve(settings, address, start, on_ready)
