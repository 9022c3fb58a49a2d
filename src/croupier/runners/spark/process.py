"""The processes of a ring on Spark: join, observe, learn, until told to stop."""

import threading
from collections.abc import Iterable
from functools import partial
from typing import Any

from croupier.config.errors import ConfigError
from croupier.config.services import Services, Stores, open_stores
from croupier.config.settings import Settings
from croupier.config.spark import SparkSettings, checkpoint_of, open_engine, sink_of, source_of
from croupier.core import codec
from croupier.core.experiment import Experiment
from croupier.core.records import Tick
from croupier.ports import EVENTS, OBSERVATIONS
from croupier.runners.candidates import scheduled
from croupier.runners.declare import declare
from croupier.runners.distributed.learning import Learner
from croupier.runners.distributed.upkeep import Upkeep, forgiving
from croupier.runners.distributed.worker import insist, stoppable
from croupier.runners.history import History
from croupier.runners.spark.executors import Sender, history_at, log_at
from croupier.runners.spark.folding import Folding
from croupier.runners.spark.gathering import Gathering, states_at
from croupier.runners.spark.shares import Sorter
from croupier.runners.spark.supervision import Supervised
from croupier.runners.spark.turn import PARTS, App, Turn

_TICK = codec.encode(Tick())
_TICK_SECONDS = 1.0


@stoppable()
def run_folding(
    app: App, services: Services, spark: SparkSettings, stop: threading.Event, *, recover: bool
) -> None:
    """Join or observe, all partitions."""
    stores = insist(lambda: open_stores(services), stop)
    try:
        if app == "join":
            _tick(stores, spark, stop)
        history = insist(lambda: History(stores.log), stop)
        book = history.declarations
        refuse_corrected(book.latest(name).spec for name in book.names())
        engine = open_engine(spark)
        folding = Folding(app, stores, history, stop)
        # Another number of buckets is another layout: what it finds in the old one is not its own.
        checkpoint = checkpoint_of(spark, engine, f"{app}-{spark.buckets}")
        supervised = Supervised(f"spark {app}", checkpoint.set_aside, stop, recover=recover)
        reads, writes = PARTS[app].reads, PARTS[app].writes

        def start() -> Any:
            folding.recover()
            partitions, sources = len(folding.starts), len(stores.log.ends(EVENTS))
            return engine.fold(
                source_of(spark, services.log, reads, folding.starts),
                Sorter(partitions, spark.buckets, folding.floors),
                Turn(
                    app,
                    sources,
                    folding.closed,
                    folding.starts,
                    partial(history_at, services.log),
                ),
                Sender(partial(log_at, services.log), writes),
                supervised.taking(folding.take, folding.stood),
                sink_of(spark, checkpoint),
            )

        supervised.run(start)
    finally:
        stores.close()


@stoppable()
def run_learning(
    settings: Settings,
    services: Services,
    spark: SparkSettings,
    stop: threading.Event,
    *,
    recover: bool,
) -> None:
    """learn: declares what the settings say, adds, publishes. There is one."""
    refuse_corrected(settings.experiments)
    stores = insist(lambda: open_stores(services), stop)
    try:
        history = insist(lambda: declare(settings, stores.log, stores.clock), stop)
        learner = Learner(stores, history, stop, settings.log)
        learner.recover()
        upkeep = Upkeep(stores, history, learner)
        upkeep.publish()
        engine, one_at_a_time = open_engine(spark), threading.Lock()
        gathering = Gathering(learner, stores.log)
        checkpoint = checkpoint_of(spark, engine, "learn")
        supervised = Supervised("spark learn", checkpoint.set_aside, stop, recover=recover)

        def take(told: list[bytes]) -> None:
            with one_at_a_time:
                history.knowing(lambda: gathering.take(told))
                upkeep.publish()

        def turn() -> None:
            with one_at_a_time:
                upkeep.turn()

        def start() -> Any:
            gathering.recover()
            return engine.gather(
                source_of(spark, services.log, OBSERVATIONS, gathering.starts),
                lambda: gathering.gatherer(
                    partial(history_at, services.log), partial(states_at, services.states)
                ),
                supervised.taking(take, gathering.stood),
                sink_of(spark, checkpoint),
            )

        with scheduled(settings, stores.log, stores.clock, history):
            supervised.run(start, turn)
    finally:
        stores.close()


def refuse_corrected(specs: Iterable[Experiment]) -> None:
    """ConfigError where a policy corrects for delays: on Spark nobody holds all open trials."""
    problems = [
        f'experiment "{spec.name}": policy.delay_corrected: not on Spark, where no process holds '
        "all open stories; use the plain join, observe and learn"
        for spec in specs
        if spec.timed
    ]
    if problems:
        raise ConfigError(*problems)


def _tick(stores: Stores, spark: SparkSettings, stop: threading.Event) -> None:
    """Let time pass on every event partition: a tick a second; once, where all is read once."""

    def tick() -> None:
        forgiving("a tick", lambda: stores.log.append(EVENTS, [_TICK]).result())

    def run() -> None:
        while not stop.wait(_TICK_SECONDS):
            tick()

    tick()
    if spark.every is not None:
        threading.Thread(target=run, name="croupier-ticks", daemon=True).start()
