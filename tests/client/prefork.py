"""A program that forks as gunicorn does: python prefork.py URL WORKERS EVENTS.

The client is made, used and kept busy by a thread in the parent; then come the workers. Each
prints what it knows and ends by itself, without closing the client.
"""

import json
import os
import signal
import sys
import threading
import time
from types import FrameType

from croupier.client import Croupier


def work(client: Croupier, name: str, count: int) -> None:
    """Visits: each seen, each third clicked, reported twice."""
    for n in range(count):
        decided = client.decide("each", f"{name}-{n}")
        client.impression(decided)
        if n % 3 == 0:
            client.outcome(decided, "click")
            client.outcome(decided, "click")


def tell(client: Croupier) -> None:
    """One line, written whole."""
    os.write(1, json.dumps(client.stats()).encode() + b"\n")


def stop(_: int, __: FrameType | None) -> None:
    """As gunicorn's workers end."""
    sys.exit(0)


def worker(client: Croupier, number: int, events: int) -> None:
    """What a child does; it ends as a program does, or as told by a signal."""
    signal.signal(signal.SIGTERM, stop)
    assert client.stats()["events_waiting"] == client.stats()["decided"] == 0
    work(client, f"worker-{number}", events)
    tell(client)
    if number % 2:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    sys.exit(0)


def main(url: str, workers: int, events: int) -> None:
    """The parent."""
    client = Croupier(url, {"each": "one"}, timeout=5.0, linger=0.5, exit_timeout=20.0)
    work(client, "before", events)  # waits in the parent's buffer while it forks
    busy = threading.Thread(target=work, args=(client, "busy", 4 * events))
    busy.start()
    time.sleep(0.02)
    for number in range(workers):
        if os.fork() == 0:
            worker(client, number, events)
    work(client, "after", events)
    busy.join()
    tell(client)
    for _ in range(workers):
        assert os.wait()[1] == 0


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
