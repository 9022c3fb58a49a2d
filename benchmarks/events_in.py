"""Events in over HTTP: each verified, each batch durable before its 202, on one core."""

import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.load import Pressed, post, press
from benchmarks.measure import CLIENT_CORE, isolated
from benchmarks.report import Row, Skipped, at_least, by_wall
from benchmarks.services import TOKEN_KEY, Served, door, server
from benchmarks.table import BATCH, decision, events, toml
from croupier.config.services import open_stores
from croupier.config.settings import parse_settings
from croupier.core.records import IMPRESSION
from croupier.core.token import Signer
from croupier.runners.declare import declare
from croupier.runners.distributed.learning import Learner
from croupier.runners.history import History
from tests.services.own import own_services
from tests.services.service import ServiceError

CONNECTIONS = 8


def rows(*, quick: bool) -> Iterator[Row | Skipped]:
    sent, rounds = (10_000, 1) if quick else (200_000, 5)
    text = toml("top-button", 5)
    with tempfile.TemporaryDirectory() as folder, door(Path(folder), text) as target:
        per_cpu, per_second = measure(target, text, BATCH, sent, rounds)
        note = f"{CONNECTIONS} connections, medians of {rounds} × {sent:,} events"
        what = f"events in, batches of {BATCH}"
        yield at_least(f"{what}, per CPU-second", "events", per_cpu, 50_000, note)
        yield by_wall(f"{what}, per second", "events", per_second, 50_000)
        per_cpu, _ = measure(target, text, 1, sent // 10, 1)
        yield Row("events in, one at a time, per CPU-second", "events", per_cpu)
    try:
        yield from on_kafka(text, sent)
    except ServiceError as error:
        yield Skipped("events in, croupier serve on Kafka", str(error))


def on_kafka(text: str, sent: int) -> Iterator[Row]:
    """A server of the distributed ring."""
    settings = parse_settings(text)
    with own_services("in", 4) as services, tempfile.TemporaryDirectory() as folder:
        with closing(open_stores(services)) as stores:
            declare(settings, stores.log, stores.clock)
            Learner(stores, History(stores.log), threading.Event()).refresh()
        urls = [part for key, url in services._asdict().items() for part in (f"--{key}", url)]
        with server(Path(folder), text, urls) as target:
            for size, share, how in (
                (BATCH, sent, f"batches of {BATCH}"),
                (1, sent // 10, "one at a time"),
            ):
                per_cpu, _ = measure(target, text, size, share, 1)
                what = f"events in, croupier serve on Kafka, {how}, per CPU-second"
                yield Row(what, "events", per_cpu)


def measure(target: Served, text: str, size: int, sent: int, rounds: int) -> tuple[float, float]:
    """Events a CPU-second of the server, and a second: medians of some rounds, after one more."""
    each = [
        isolated(send, target.port, target.pid, text, size, sent, seed, core=CLIENT_CORE)
        for seed in range(size, size + rounds + 1)
    ][1:]
    per_cpu = statistics.median(sent / one.cpu[0] for one in each)
    return per_cpu, statistics.median(sent / one.seconds for one in each)


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
