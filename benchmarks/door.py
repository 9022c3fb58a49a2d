"""Croupier's doors and durable log in a process of their own, without the ring behind them.

python -m benchmarks.door croupier.toml croupier.db
"""

import os
import sys
from pathlib import Path

import uvicorn

from benchmarks.services import free_port
from croupier.config.backends import open_backends
from croupier.config.keys import load_keys
from croupier.config.settings import load_settings
from croupier.runners.embedded import Embedded


def main(config: str, data: str) -> None:
    """Serve until SIGTERM."""
    sys.setswitchinterval(0.0005)
    keys = load_keys(Path(data), os.environ)
    embedded = Embedded(load_settings(config), open_backends(Path(data)), keys)
    embedded.ring.recover()
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(embedded.app(), port=port, access_log=False, log_config=None)
    )
    print(f"listening on http://127.0.0.1:{port}", flush=True)
    server.run()
    embedded.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
