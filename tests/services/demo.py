"""python -m tests.services.demo: `croupier demo` on services of its own."""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.services.servers import Kafka, Postgres, Redis
from tests.services.service import ServiceError, free_port


def main() -> int:
    """Start the services in a folder and on ports of their own, run the demo, stop them."""
    with tempfile.TemporaryDirectory(prefix="croupier-demo-services-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user
        services = [
            kind(Path(folder) / kind.name, free_port()) for kind in (Kafka, Postgres, Redis)
        ]
        kafka, postgres, redis = services
        try:
            for service in services:
                service.start()
                print(f"{service.name} runs at {service.url}", file=sys.stderr)
            urls = ["--log", f"{kafka.url}/demo?partitions=4", "--states", postgres.url]
            command = [sys.executable, "-m", "croupier", "demo", *urls, "--cache", redis.url]
            return subprocess.run([*command, *sys.argv[1:]], check=False).returncode
        except ServiceError as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            for service in services:
                service.stop()


if __name__ == "__main__":
    sys.exit(main())
