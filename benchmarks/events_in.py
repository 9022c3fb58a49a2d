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
    batches, rounds = (100, 1) if quick else (2_000, 5)
    text = toml("top-button", 5)
    pressed = []
    with tempfile.TemporaryDirectory() as folder, door(Path(folder), text) as server:
        for number in range(rounds + 1):
            each = isolated(send, server.port, server.pid, text, batches, number, core=CLIENT_CORE)
            if number:
                pressed.append(each)
    sent = batches * BATCH
    per_cpu = statistics.median(sent / each.cpu[0] for each in pressed)
    per_second = statistics.median(sent / each.seconds for each in pressed)
    note = f"{CONNECTIONS} connections, medians of {rounds} × {sent:,} events"
    yield at_least(
        f"events in, batches of {BATCH}, per CPU-second", "events", per_cpu, 50_000, note
    )
    yield by_wall(f"events in, batches of {BATCH}, per second", "events", per_second, 50_000)


def send(port: int, pid: int, text: str, batches: int, seed: int) -> Pressed:
    """Press batches that were signed beforehand."""
    messages = list(bodies(text, batches, seed))
    return press(port, [pid], messages, CONNECTIONS, 120.0, b'"rejected":[]')


def bodies(text: str, batches: int, seed: int) -> Iterator[bytes]:
    """Requests of BATCH events each, of decisions made when each is asked for."""
    spec, dice = parse_settings(text).experiments[0], random.Random(seed)
    signer = Signer({1: TOKEN_KEY}, [spec.name])
    made = (
        decision(spec, dice, int(time.time() * 1000), number + (seed << 40))
        for number in range(batches * BATCH)
    )
    source = events(spec, made)
    for _ in range(batches):
        reports: list[dict[str, object]] = []
        for _ in range(BATCH):
            event = next(source)
            report = {"kind": event.kind, "token": signer.sign(event.decision), "at": event.at}
            if event.kind != IMPRESSION:
                report |= {"arm": spec.arms[event.decision.slate[0]], "id": event.id}
            reports.append(report)
        yield post("/v1/events", json.dumps(reports, separators=(",", ":")).encode())
