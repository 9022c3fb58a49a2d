"""The token that travels with a decision: signing, verifying, length."""

import random
import time
from collections.abc import Iterator

from benchmarks.measure import cpu_micros
from benchmarks.report import Row, at_most
from benchmarks.table import beta_decider, decision
from croupier.core.token import Signer


def rows(*, quick: bool) -> Iterator[Row]:
    spec = beta_decider(5).spec
    signer = Signer({1: bytes(32)}, [spec.name])
    one = decision(spec, random.Random(3), int(time.time() * 1000), 1)
    token = signer.sign(one)
    assert signer.verify(token) == one
    times = cpu_micros(
        {"sign": lambda: signer.sign(one), "verify": lambda: signer.verify(token)},
        rounds=3 if quick else 15,
    )
    for name, micros in times.items():
        yield at_most(f"token, {name}, 1 slot", "µs CPU", micros, 10.0)
    yield at_most("token, length, 1 slot", "chars", len(token), 140)
