"""One button, three texts: decide, show, report. Runs alone against a started server.

    croupier up --config croupier.toml      # the README's first experiment
    python examples/01_button.py http://127.0.0.1:8080

A thousand simulated visitors see the button that the server decides for them; each text has its own
chance to be clicked. Stop the server while it runs: the visitors see the default, and go on.
"""

import random
import sys

from croupier.client import Croupier

CHANCE = {"install": 0.05, "free-trial": 0.15, "see-recipes": 0.08}


def main(url: str, visitors: int) -> None:
    """Send the visitors, then say what became of them."""
    clicks = 0
    with Croupier(url, defaults={"top-button": "install"}, timeout=0.2) as croupier:
        for number in range(visitors):
            decided = croupier.decide("top-button", unit=f"visitor-{number}")
            croupier.impression(decided)  # in a page: when it was really seen
            if random.random() < CHANCE[decided.arm]:
                croupier.outcome(decided, "click")
                clicks += 1
    for name, count in croupier.stats().items():
        print(f"{name:24} {count:6}")
    print(f"{clicks} clicks; what has been learned: {url}/v1/experiments/top-button")


if __name__ == "__main__":
    address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080"
    main(address, int(sys.argv[2]) if len(sys.argv) > 2 else 1_000)
