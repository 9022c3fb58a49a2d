"""python -m tests.services start | stop | status: the servers of `make services`."""

import argparse
import os
import sys
from pathlib import Path

from tests.services.servers import Kafka, Postgres, Redis
from tests.services.service import ROOT, Service, ServiceError

PORTS = {"redis": 16379, "postgres": 15432, "kafka": 19092}


def all_of(environment: dict[str, str]) -> list[Service]:
    """The three, in the folder and on the ports that the environment says."""
    folder = Path(environment.get("CROUPIER_SERVICES") or ROOT / ".services").resolve()
    ports = {
        name: int(environment.get(f"CROUPIER_{name.upper()}_PORT") or port)
        for name, port in PORTS.items()
    }
    return [
        Redis(folder / "redis", ports["redis"]),
        Postgres(folder / "postgres", ports["postgres"]),
        Kafka(folder / "kafka", ports["kafka"], ports["kafka"] + 1),
    ]


def main() -> int:
    """Do it for each of them; 1 when any failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.services", description=__doc__)
    parser.add_argument("do", choices=["start", "stop", "status"])
    do, failed = parser.parse_args().do, False
    for service in all_of(dict(os.environ)):
        try:
            if do == "start":
                service.start()
            elif do == "stop":
                service.stop()
        except ServiceError as error:
            print(error, file=sys.stderr)
            failed = True
        else:
            state = "" if service.pid else "  (stopped)"
            print(f"CROUPIER_TEST_{service.name.upper()}={service.url}{state}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
