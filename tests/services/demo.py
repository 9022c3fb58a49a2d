"""python -m tests.services.demo: `croupier demo` on services of its own."""

import signal
import subprocess
import sys

from tests.services.own import own_services
from tests.services.service import ServiceError


def main() -> int:
    """Start the services in a folder and on ports of their own, run the demo, stop them."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with own_services("demo", partitions=4) as services:
            for name, url in services._asdict().items():
                print(f"{name}: {url}", file=sys.stderr)
            urls = ["--log", services.log, "--states", services.states, "--cache", services.cache]
            command = [sys.executable, "-m", "croupier", "demo", *urls, *sys.argv[1:]]
            return subprocess.run(command, check=False).returncode
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
