"""learn as a process: observations → sums, each once → snapshots."""

import threading
from collections.abc import Collection

from croupier.apps.learn import Learn
from croupier.config.services import Stores
from croupier.config.settings import MOST_SKEW
from croupier.config.tables import LogTable
from croupier.core import codec
from croupier.core.arms.table import roll_up
from croupier.core.duration import DAY, HOUR
from croupier.core.learn import Learned
from croupier.core.open_trials import OpenTrials, held_for
from croupier.core.snapshot import Snapshot
from croupier.core.watermark import Watermark
from croupier.ports import EVENTS, FUNNELS, OBSERVATIONS, Commit, Entry, entries_between
from croupier.runners.distributed.gathered import Gathered, gather
from croupier.runners.distributed.worker import insist
from croupier.runners.history import History

_ENTRIES, _KEEP = 1_024, LogTable()


class Learner:
    """The only one that adds: sums, positions and ids in one transaction; then it publishes.

    Invariant: what is in memory is what is committed. An observation is added when its id is not
    in the store; one whose time lies further behind the watermark than ids are kept could be in
    without an id, so it is counted as stale and never added.
    """

    def __init__(
        self,
        stores: Stores,
        history: History,
        stop: threading.Event,
        keep: LogTable = _KEEP,
    ) -> None:
        self._stores, self._history, self._keep = stores, history, keep
        self._states = stores.states("learn")
        self.stop = stop
        self.learn = Learn(history.declarations, stores.cache)
        self.time = Watermark(stores.log.ends(FUNNELS))
        self.positions = dict.fromkeys(stores.log.ends(OBSERVATIONS), 0)
        self._stored: dict[int, int] = {}
        self._committed = 0
        self._kept_house = 0
        history.on_change.append(self.learn.touch)

    def recover(self) -> None:
        """Take up where the last commit stood, and publish what is due."""
        standing = insist(self._states.load, self.stop)
        self.learn.take(standing.sums)
        self._stored = dict(standing.positions)
        self.positions |= standing.positions
        self._committed = standing.watermark
        for source in self._stores.log.ends(FUNNELS):
            self.time.reach(source, standing.watermark)
        insist(self._recover_open, self.stop)

    def _recover_open(self) -> None:
        """Read again what was told of trials that may be open still."""
        within = held_for(self._history.declarations)
        if within:
            log, reach = self._stores.log, self._committed - within - MOST_SKEW
            start = log.since(OBSERVATIONS, reach)
            for entries in entries_between(log, OBSERVATIONS, start, self.positions):
                records = codec.decode_all(entry.payload for entry in entries)
                told = (one for one in records if isinstance(one, OpenTrials))
                self.learn.hold(told, self._committed)

    def step(self) -> bool:
        """Read on, add what is new, commit; False when there was nothing to read."""
        log = self._stores.log
        entries = insist(lambda: log.read(OBSERVATIONS, self.positions, _ENTRIES), self.stop)
        if not entries:
            return False
        self.add([insist(lambda: self._history.knowing(lambda: self._gather(entries)), self.stop)])
        return True

    def _gather(self, entries: list[Entry]) -> Gathered:
        known = self._states.known
        return gather(sorted(entries), self._history.declarations, known, self.oldest)

    def refresh(self) -> list[Snapshot]:
        """Publish what is due; a cache that is away gets it later."""
        now, names = self._stores.clock.now(), self._history.declarations.names()
        return self.learn.refresh(names, now, self._committed)

    def keep_house(self) -> None:
        """Once an hour: merge old periods into days, and forget ids that are old enough."""
        now = self._stores.clock.now()
        if now - self._kept_house < HOUR:
            return
        standing = self._states.load()
        changes = roll_up(standing.sums, standing.watermark)
        if changes:
            self._states.commit(
                Commit(
                    positions=standing.positions,
                    watermark=standing.watermark,
                    since=self._stored,
                    sums=changes,
                )
            )
            self.learn.take(changes)
        self._states.trim_ids(self.oldest - DAY)
        self.trim()
        self._kept_house = now

    def trim(self) -> None:
        """Drop what is older than the retention, but nothing that anybody still has to read.

        What is committed here has passed join and observe. Killed, they read again from their own
        watermark, which is no less, back by the longest story and the greatest skew.
        """
        if self._keep.retention is None:
            return
        needed = self._history.declarations.longest_story() + MOST_SKEW
        before = self._committed - max(self._keep.retention, needed)
        for topic in (EVENTS, FUNNELS, OBSERVATIONS):
            self._stores.log.trim(topic, before)
        self._states.trim_late(before)
        self._stores.cache.trim(before)

    @property
    def oldest(self) -> int:
        """The data time up to which ids may be forgotten: `[log] ids` before any open story."""
        return self._committed - self._history.declarations.longest_story() - self._keep.ids

    def add(self, gathered: Collection[Gathered]) -> None:
        """Commit what some partitions add, in one transaction."""
        learned = Learned()
        positions, ids = dict(self._stored), dict[bytes, int]()
        for one in gathered:
            learned += one.learned
            positions |= one.positions
            ids |= one.ids
            for source, watermark in one.reached.items():
                self.time.reach(source, watermark)
        commit = Commit(
            positions=positions,
            since=self._stored,
            watermark=self.time.value,
            sums=learned.sums,
            counts=learned.counts,
            ids=ids,
        )
        insist(lambda: self._states.commit(commit), self.stop)
        self.positions |= commit.positions
        self._stored, self._committed = dict(commit.positions), commit.watermark
        self.learn.take(commit.sums)
        # The foremost of those who observe may have told what closed by its own watermark.
        newest = max(self.time.reached.values(), default=0)
        self.learn.hold((each for one in gathered for each in one.open), newest)
