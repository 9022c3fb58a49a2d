"""One button, decided in this process; the server only learns. Runs beside a started server.

    croupier up --config croupier.toml      # the README's first experiment
    python examples/02_in_process.py croupier.db http://127.0.0.1:8080

Ten thousand simulated visitors; stop the server while they come: they are decided for all the same,
and what they did is reported when it is back.
"""

import random
import sys
import time

from croupier.local import LocalCroupier

CHANCE = {"install": 0.05, "free-trial": 0.15, "see-recipes": 0.08}


def main(data: str, url: str, visitors: int) -> None:
    """Send the visitors, then say what became of them."""
    spent = 0.0
    with LocalCroupier(data, {"top-button": "install"}, report_url=url) as croupier:
        for number in range(visitors):
            began = time.perf_counter()
            decided = croupier.decide("top-button", unit=f"visitor-{number}")
            spent += time.perf_counter() - began
            croupier.impression(decided)
            if random.random() < CHANCE[decided.arm]:
                croupier.outcome(decided, "click")
        croupier.flush(10)
        for name, count in croupier.stats().items():
            print(f"{name:24} {count:6}")
    print(f"{1e6 * spent / visitors:.1f} µs a decision; learned: {url}/v1/experiments/top-button")


if __name__ == "__main__":
    file = sys.argv[1] if len(sys.argv) > 1 else "croupier.db"
    address = sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8080"
    main(file, address, int(sys.argv[3]) if len(sys.argv) > 3 else 10_000)
