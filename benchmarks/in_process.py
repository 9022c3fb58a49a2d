"""Decide in process through croupier.local: a whole decision with its token, while it follows."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import cpu_micros
from benchmarks.report import Row, at_most
from benchmarks.table import toml
from croupier.config.backends import open_backends
from croupier.config.keys import load_keys
from croupier.config.settings import parse_settings
from croupier.local import LocalCroupier
from croupier.runners.embedded import Embedded

ARMS = ", ".join(f'"arm-{number}"' for number in range(12))
SLATE = (
    f'[[experiment]]\nname = "carousel"\narms = [{ARMS}]\nslots = 12\ndefault = [{ARMS}]\n'
    "reward = { click = 1.0 }\n"
)


def rows(*, quick: bool) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "croupier.db"
        settings = parse_settings(toml("top-button", 5) + SLATE)
        keys = load_keys(data, {})
        embedded = Embedded(settings, open_backends(data), keys)
        embedded.start()
        while not embedded.service.ready:
            time.sleep(0.01)
        defaults = {"top-button": "arm-0", "carousel": ["arm-0"] * 12}
        with LocalCroupier(str(data), defaults) as local:
            assert not local.decide("top-button", "u-17").is_default
            assert not local.decide("carousel", "u-17").is_default
            times = cpu_micros(
                {
                    "5 arms": lambda: local.decide("top-button", "u-17"),
                    "12 slots of 12 arms": lambda: local.decide("carousel", "u-17"),
                    "exclude one of 5": lambda: local.decide("top-button", "u", None, ["arm-0"]),
                },
                rounds=3 if quick else 15,
            )
        embedded.stop()
    limits = {"5 arms": 15.0, "12 slots of 12 arms": 20.0}
    for name, micros in times.items():
        what = f"croupier.local, token included, {name}"
        if name in limits:
            yield at_most(what, "µs CPU", micros, limits[name], "a decision's limit and a token's")
        else:
            yield Row(what, "µs CPU", micros)
