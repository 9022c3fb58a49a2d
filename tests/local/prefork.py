"""A program that forks as gunicorn does: python prefork.py DATA URL WORKERS VISITS.

Made and used in the parent, kept busy there by a thread; each process prints what it knows, with
the tracking ids that it gave out, and ends by itself.
"""

import json
import os
import sys
import threading
import time

from croupier.local import LocalCroupier


def work(local: LocalCroupier, name: str, visits: int) -> list[str]:
    """Visits: each seen, each third clicked, reported twice."""
    ids = []
    for n in range(visits):
        decided = local.decide("each", f"{name}-{n}", exposed=True)
        ids.append(decided.tracking_id)
        if n % 3 == 0:
            local.outcome(decided, "click")
            local.outcome(decided, "click")
    return ids


def tell(local: LocalCroupier, ids: list[str]) -> None:
    """One line, written whole."""
    os.write(1, json.dumps(local.stats() | {"ids": ids}).encode() + b"\n")


def worker(local: LocalCroupier, number: int, visits: int) -> None:
    """What a child does; it looks for itself."""
    assert local.stats()["decided"] == local.stats()["looks"] == 0
    ids = work(local, f"worker-{number}", visits)
    deadline = time.monotonic() + 10
    while not local.stats()["looks"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    ids += work(local, f"later-{number}", visits)
    tell(local, ids)
    sys.exit(0)


def main(data: str, url: str, workers: int, visits: int) -> None:
    """The parent."""
    local = LocalCroupier(
        data, {"each": "one"}, report_url=url, every=0.05, exit_timeout=20.0, linger=0.5
    )
    ids = work(local, "before", visits)
    busy_ids: list[str] = []
    busy = threading.Thread(target=lambda: busy_ids.extend(work(local, "busy", 4 * visits)))
    busy.start()
    for number in range(workers):
        if os.fork() == 0:
            worker(local, number, visits)
    busy.join()
    tell(local, ids + busy_ids)
    for _ in range(workers):
        assert os.wait()[1] == 0


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
