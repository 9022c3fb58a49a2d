"""Events in over HTTP: each verified, each batch durable before its 202, on one core."""

import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.load import Pressed, post, press
from benchmarks.measure import CLIENT_CORE, isolated
from benchmarks.report import Row, at_least, by_wall
from benchmarks.services import TOKEN_KEY, door
from benchmarks.table import BATCH, decision, events, toml
from croupier.config.settings import parse_settings
from croupier.core.records import IMPRESSION
from croupier.core.token import Signer

CONNECTIONS = 8


def rows(*, quick: bool) -> Iterator[Row]:
    sent, rounds = (10_000, 1) if quick else (200_000, 5)
    text = toml("top-button", 5)
    with tempfile.TemporaryDirectory() as folder, door(Path(folder), text) as server:
        for size, times in ((BATCH, rounds), (1, 1)):
            share = sent if size > 1 else sent // 10
            each = [
                isolated(send, server.port, server.pid, text, size, share, seed, core=CLIENT_CORE)
                for seed in range(size, size + times + 1)
            ][1:]
            per_cpu = statistics.median(share / one.cpu[0] for one in each)
            per_second = statistics.median(share / one.seconds for one in each)
            note = f"{CONNECTIONS} connections, medians of {times} × {share:,} events"
            what = f"events in, batches of {size}"
            if size == 1:  # what a page sends: no goal
                yield Row(f"{what}, per CPU-second", "events", per_cpu, note=note)
                continue
            yield at_least(f"{what}, per CPU-second", "events", per_cpu, 50_000, note)
            yield by_wall(f"{what}, per second", "events", per_second, 50_000)


def send(port: int, pid: int, text: str, size: int, sent: int, seed: int) -> Pressed:
    """Press batches that were signed beforehand."""
    messages = list(bodies(text, sent // size, seed, size))
    return press(port, [pid], messages, CONNECTIONS, 120.0, b'"rejected":[]')


def bodies(text: str, batches: int, seed: int, size: int = BATCH) -> Iterator[bytes]:
    """Requests of `size` events each, of decisions made when each is asked for."""
    spec, dice = parse_settings(text).experiments[0], random.Random(seed)
    signer = Signer({1: TOKEN_KEY}, [spec.name])
    made = (
        decision(spec, dice, int(time.time() * 1000), number + (seed << 40))
        for number in range(batches * size)
    )
    source = events(spec, made)
    for _ in range(batches):
        reports: list[dict[str, object]] = []
        for _ in range(size):
            event = next(source)
            report = {"kind": event.kind, "token": signer.sign(event.decision), "at": event.at}
            if event.kind != IMPRESSION:
                report |= {"arm": spec.arms[event.decision.slate[0]], "id": event.id}
            reports.append(report)
        yield post("/v1/events", json.dumps(reports, separators=(",", ":")).encode())
