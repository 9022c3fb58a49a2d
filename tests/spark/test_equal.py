"""One log through every runner: the same observations, the same sums, the same late records."""

import threading
from collections import Counter
from typing import Any

import pytest

from croupier.adapters.memory import MemorySnapshots, MemoryState
from croupier.clock import Clock
from croupier.config.services import Services, Stores, open_log, open_stores
from croupier.config.settings import Settings
from croupier.config.spark import SparkSettings
from croupier.core import codec
from croupier.core.records import Funnel, Observation
from croupier.ports import ARMS, EVENTS, FUNNELS, OBSERVATIONS
from croupier.runners.distributed.learning import Learner
from croupier.runners.distributed.parts import JoinPart, ObservePart
from croupier.runners.distributed.worker import Worker
from croupier.runners.history import History
from croupier.runners.spark.process import run_folding, run_learning
from tests.laws.oracle import trial_of
from tests.spark.tale import embedded, read_back, records, tell_on

pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore")]


class Beside:
    """Reads what one log was told, and writes what follows to another."""

    def __init__(self, told: Any, follows: Any) -> None:
        self._logs = dict.fromkeys((ARMS, EVENTS), told) | dict.fromkeys(
            (FUNNELS, OBSERVATIONS), follows
        )

    def __getattr__(self, name: str) -> Any:
        return lambda topic, *rest: getattr(self._logs[topic], name)(topic, *rest)


def plain(services: Services) -> tuple[Any, dict[str, MemoryState]]:
    """The plain workers over the same events on Kafka, with topics of their own for the rest."""
    other = services.log.replace("?", "-plain?")
    log: Any = Beside(open_log(services.log), open_log(other))
    scopes: dict[str, MemoryState] = {}

    def states(scope: str) -> MemoryState:
        return scopes.setdefault(scope, MemoryState(log))

    stores = Stores(Clock(), log, states, MemorySnapshots(), MemorySnapshots())
    history, parts, stop = History(log), log.ends(EVENTS), threading.Event()
    join = Worker("join", JoinPart, stores, history, parts, parts, stop)
    observe = Worker("observe", ObservePart, stores, history, parts, parts, stop)
    learner = Learner(stores, history, stop)
    for one in (join, observe, learner):
        one.recover()
        while one.step():
            pass
    return log, scopes


def run_spark(services: Services, spark: SparkSettings, *, recover: bool = False) -> None:
    stop = threading.Event()
    run_folding("join", services, spark, stop, recover=recover)
    run_folding("observe", services, spark, stop, recover=recover)
    run_learning(Settings(experiments=()), services, spark, stop, recover=recover)


def test_every_runner_says_the_same(services: Services, spark: SparkSettings) -> None:
    log = open_log(services.log)
    tale = read_back(log, tell_on(log))
    told = tale.told
    backends, of_embedded = embedded(log, tale)
    plain_log, scopes = plain(services)
    run_spark(services, spark)

    def multiset(observations: Any) -> Counter[bytes]:
        return Counter(map(codec.encode, observations))

    assert multiset(records(log, OBSERVATIONS, Observation)) == multiset(of_embedded)
    assert multiset(records(plain_log, OBSERVATIONS, Observation)) == multiset(of_embedded)
    assert Counter(map(trial_of, of_embedded)) == Counter(trial for _, trial in told.trials)
    assert len(list(records(log, FUNNELS, Funnel))) == len(told.funnels)
    stores = open_stores(services)
    standing, by_embedded = stores.states("learn").load(), backends.states.load()
    late = len(told.late)
    assert late
    assert standing.sums == by_embedded.sums == scopes["learn"].load().sums
    assert standing.sums == told.sums(tale.book)
    assert sum(n for (_, what), n in standing.counts.items() if what == "late") == late
    assert {k: n for k, n in standing.counts.items() if n} == told.counts()
    assert not any(standing.open.values())
    for name in tale.book.names():
        snapshot = stores.cache.latest(name)
        assert snapshot is not None
    stores.close()
