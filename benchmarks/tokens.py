"""The token that travels with a decision: signing, verifying, length."""

import random
import time
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.measure import cpu_micros
from benchmarks.report import Row, at_most
from benchmarks.table import beta_decider, decision, slate_decider
from croupier.core.token import Signer


def rows(*, quick: bool) -> Iterator[Row]:
    spec = beta_decider(5).spec
    signer = Signer({1: bytes(32)}, [spec.name])
    one = decision(spec, random.Random(3), int(time.time() * 1000), 1)
    token = signer.sign(one)
    assert signer.verify(token) == one
    works: dict[str, Callable[[], object]] = {
        "sign, 1 slot": lambda: signer.sign(one),
        "verify, 1 slot": lambda: signer.verify(token),
    }
    lengths = {"1 slot": len(token)}
    for ranking in ("pooled", "slots"):
        many = slate_decider(100, 12, ranking).decide(bytes(16), one.at, one.tracking_id).decision
        pages = Signer({1: bytes(32)}, ["page"])
        slate = pages.sign(many)
        assert pages.verify(slate) == many
        works[f"sign, 12 slots, {ranking}"] = partial(pages.sign, many)
        works[f"verify, 12 slots, {ranking}"] = partial(pages.verify, slate)
        lengths[f"12 slots, {ranking}"] = len(slate)
    for name, micros in cpu_micros(works, rounds=3 if quick else 15).items():
        yield at_most(f"token, {name}", "µs CPU", micros, 10.0)
    for name, length in lengths.items():
        yield at_most(f"token, length, {name}", "chars", length, 140 if name == "1 slot" else 300)
