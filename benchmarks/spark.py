"""Spark's join, observe and learn beside Spark-native joins: CPU of driver, JVM and workers."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from benchmarks.measure import isolated, tree_bytes
from benchmarks.native import FORMS
from benchmarks.report import Row, Skipped
from benchmarks.spark_session import LATENESS, PARTITIONS, SETTINGS, Session, Used
from benchmarks.table import BATCH
from benchmarks.told import batches, let_pass, tell, tell_json, wall
from croupier.config.services import Services, open_stores
from tests.services.own import own_services
from tests.services.service import ServiceError
from tests.services.spark import missing

WHAT = "Spark: join, observe, learn"
CORES = range(os.cpu_count() or 1)


class Measured(NamedTuple):
    """What each query used; `nothing` is a batch of one tick."""

    events: int
    join: Used
    observe: Used
    learn: Used
    nothing: Used
    natives: dict[str, Used]
    held: int


def rows(*, quick: bool) -> Iterator[Row | Skipped]:
    if missing():
        yield Skipped(WHAT, missing())
        return
    decisions = 5_000 if quick else 100_000
    try:
        with own_services("bench", PARTITIONS) as services, tempfile.TemporaryDirectory() as folder:
            found = isolated(measure, services, folder, decisions, core=CORES)
    except ServiceError as error:
        yield Skipped(WHAT, str(error))
        return
    events, note = found.events, f"{found.events:,} events in messages of {BATCH // PARTITIONS}"
    what, ours = "Spark join", events / found.join.cpu
    for form, used in found.natives.items():
        also = f"{note}; two batches: all opens, all closes; JVM, driver and Python workers"
        yield Row(
            f"{what}, per CPU-second",
            "events",
            ours,
            f"native, {form}",
            events / used.cpu,
            note=also,
        )
    native = min(used.cpu for used in found.natives.values())
    yield Row(
        f"{what}, CPU an event", "µs", found.join.cpu / events * 1e6, "", native / events * 1e6
    )
    yield Row(
        f"{what}, CPU an event beyond that of empty batches",
        "µs",
        (found.join.cpu - 2 * found.nothing.cpu) / events * 1e6,
    )
    yield Row(f"{what}, CPU of a query begun for one tick", "s", found.nothing.cpu)
    yield Row(f"{what}, per second", "events", events / found.join.wall, note="wall, two cores")
    once = "in one batch, in which all opens and closes"
    yield Row("Spark observe, per CPU-second", "funnels", decisions / found.observe.cpu, note=once)
    yield Row(
        "Spark learn, per CPU-second", "trials", decisions / found.learn.cpu, note="one batch"
    )
    yield Row("Spark: memory of driver, JVM and workers", "MB", found.held / 1e6)


def measure(services: Services, folder: str, decisions: int) -> Measured:
    """All queries over the same events, in one session."""
    spec = SETTINGS.experiments[1]
    with closing(open_stores(services)) as stores:
        session = Session(services, stores, folder, len(CORES))
        session.warm_up()
        session.learn()
        session.warm_up_natives()
        session.make("native")
        some = list(batches(spec, decisions))
        until = wall() + spec.longest_story
        events = tell(stores.log, some)
        tell_json(session.servers, "native", PARTITIONS, some)
        del some
        join = session.fold("join")
        assert wall() < until, f"a batch took longer than stories last: {LATENESS / 1000:.0f} s"
        held = tree_bytes(os.getpid())
        natives = {form: session.native(form, "native") for form in FORMS}
        session.end("native")
        natives = {form: used + session.native(form, "native") for form, used in natives.items()}
        for form in FORMS:
            closed = session.closed(form, "native")
            assert closed == decisions, (form, closed)
        let_pass(stores.log, until)
        join += session.fold("join")
        observe, learn, nothing = session.fold("observe"), session.learn(), session.fold("join")
        counts = stores.states("learn").load().counts
        assert counts["b", "observations"] == decisions, counts
    return Measured(events, join, observe, learn, nothing, natives, held)
