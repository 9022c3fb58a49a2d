"""One source, step by step: read, judge, append, set aside, commit."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence

from croupier.apps.serve.service import Service
from croupier.config.services import Stores
from croupier.core import codec
from croupier.core.sources.declared import Source
from croupier.ports import EVENTS, Commit, DeadLetters, SourceTopic, TopicRecord
from croupier.runners.distributed.parts import story_key
from croupier.runners.distributed.worker import insist
from croupier.runners.sourcing.dead import dead_letter
from croupier.runners.sourcing.judge import Judge, Verdict

_LOG = logging.getLogger(__name__)
_RECORDS, _EVENTS = 1_000, 10_000
_LOOK_EVERY, _FOLLOW_EVERY = 10_000, 1_000


class Taker:
    """Takes what one source tells, each record once in effect.

    Invariant: what is committed is told: the events of all records before the positions are on the
    log, and their dead letters in the topic for them. Killed anywhere, a step is done again from
    there; what it tells twice is equal, so that `join` counts it once.
    """

    def __init__(
        self,
        source: Source,
        topic: SourceTopic,
        dead: DeadLetters,
        service: Service,
        stores: Stores,
        stop: threading.Event,
    ) -> None:
        self.source, self._topic, self._dead = source, topic, dead
        self._service, self._stores, self._stop = service, stores, stop
        self._states = stores.states(scope_of(source))
        self._judge = Judge(source, service)
        self._positions: dict[int, int] | None = None
        self._stored: dict[int, int] = {}
        self._watermark = self._looked = self._followed = 0
        self.follow: Callable[[], bool] = lambda: False
        self.counts: Counter[str] = Counter()
        """What this process has counted."""

    def step(self) -> bool:
        """Take what is there; False when there was nothing. UnavailableError: do it again."""
        if self._positions is None:
            self._positions = self._begin()
        self._look_for_partitions(self._positions)
        stretch = self._topic.read(self._positions, _RECORDS)
        if stretch.positions == self._positions:
            return False
        counts = Counter({"records": len(stretch.records), "lost": stretch.lost})
        self._tell(stretch.records, counts)
        if stretch.lost:
            _LOG.error(
                "source %s: %d offsets were dropped from %s before they were read",
                self.source.name,
                stretch.lost,
                self.source.topic,
            )
        self._commit(stretch.positions, counts, stretch.records)
        return bool(stretch.records)

    def close(self) -> None:
        """Let go of the topics."""
        self._topic.close()
        self._dead.close()

    def _begin(self) -> dict[int, int]:
        """Where it stands; at its first start where it was told to begin, and that is committed."""
        standing = insist(lambda: self._states.load("", strata=()), self._stop)
        self._watermark, self._stored = standing.watermark, dict(standing.positions)
        if self._stored:
            return dict(self._stored)
        begin = self._topic.starts() if self.source.begin == "earliest" else self._topic.ends()
        self._commit(begin, Counter(), ())
        return begin

    def _look_for_partitions(self, positions: dict[int, int]) -> None:
        """A partition that is new is read from its beginning."""
        now = self._stores.clock.now()
        if now >= self._looked + _LOOK_EVERY:
            for number in self._topic.starts():
                positions.setdefault(number, 0)
            self._looked = now

    def _tell(self, records: Sequence[TopicRecord], counts: Counter[str]) -> None:
        """Append the events, set the dead letters aside; return when both are durable."""
        verdicts = self._verdicts(records)
        events = [event for verdict in verdicts for _, event in verdict.events]
        for start in range(0, len(events), _EVENTS):  # a record may hold many: each
            some = events[start : start + _EVENTS]
            keys = list(map(story_key, some))
            self._stores.log.append(EVENTS, list(map(codec.encode, some)), keys).result()
        letters = [
            dead_letter(self.source, record, verdict.refused)
            for record, verdict in zip(records, verdicts, strict=True)
            if verdict.refused
        ]
        if letters:
            self._dead.put(letters)
        counts["events"] += len(events)
        counts["dead"] += len(letters)
        for verdict in verdicts:
            counts.update(f"skipped {why}" for why in verdict.skipped.elements())
            counts.update(f"refused {one.code}" for one in verdict.refused)

    def _verdicts(self, records: Sequence[TopicRecord]) -> list[Verdict]:
        now = self._stores.clock.now()
        if records and (self.source.decision or now >= self._followed + _FOLLOW_EVERY):
            self.follow()  # which declaration a plain decision was made under, its time says
            self._followed = now
        verdicts = [self._judge.judge(record, now) for record in records]
        if any(verdict.may_pass for verdict in verdicts) and self.follow():
            verdicts = [self._judge.judge(record, now) for record in records]
        return verdicts

    def _commit(
        self, positions: dict[int, int], counts: Counter[str], records: Sequence[TopicRecord]
    ) -> None:
        newest = max((record.stamp or 0 for record in records), default=0)
        self._watermark = max(self._watermark, min(newest, self._stores.clock.now()))
        commit = Commit(
            positions=positions,
            watermark=self._watermark,
            since=self._stored,
            counts={(counted_as(self.source), what): n for what, n in counts.items() if n},
        )
        insist(lambda: self._states.commit(commit), self._stop)
        self._positions, self._stored = dict(positions), positions
        self.counts += counts


def scope_of(source: Source) -> str:
    """Under which its positions are kept.

    >>> scope_of(Source("orders", "shop.orders", "purchase", token="t"))
    'source.orders'
    """
    return f"source.{source.name}"


def counted_as(source: Source) -> str:
    """Under which it is counted, in place of an experiment: none can be called so.

    >>> counted_as(Source("orders", "shop.orders", "purchase", token="t"))
    'source:orders'
    """
    return f"source:{source.name}"
