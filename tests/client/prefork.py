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

client = Croupier(sys.argv[1], {"each": "one"}, timeout=5.0, linger=0.5, exit_timeout=20.0)
workers, events = int(sys.argv[2]), int(sys.argv[3])


def work(name: str, count: int) -> None:
    """Visits: each seen, each third clicked, reported twice."""
    for n in range(count):
        decided = client.decide("each", f"{name}-{n}")
        client.impression(decided)
        if n % 3 == 0:
            client.outcome(decided, "click")
            client.outcome(decided, "click")


def tell() -> None:
    """One line, written whole."""
    os.write(1, json.dumps(client.stats()).encode() + b"\n")


def stop(_: int, __: FrameType | None) -> None:
    """As gunicorn's workers end."""
    sys.exit(0)


work("before", events)  # waits in the parent's buffer while it forks
busy = threading.Thread(target=work, args=("busy", 4 * events))
busy.start()
time.sleep(0.02)
for number in range(workers):
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, stop)
        assert client.stats()["events_waiting"] == 0
        work(f"worker-{number}", events)
        tell()
        if number % 2:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        sys.exit(0)
work("after", events)
busy.join()
tell()
for _ in range(workers):
    assert os.wait()[1] == 0
