"""Arm states, counts, positions and ids in dicts."""

from collections import Counter
from collections.abc import Collection

from croupier.adapters.memory.log import MemoryLog
from croupier.core import codec
from croupier.core.arms.sums import Sums
from croupier.ports import (
    Commit,
    Late,
    StaleError,
    Standing,
    already_in,
)


class MemoryState:
    """StateStore in dicts; its output goes to the log that it was made with."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._standing = Standing({}, 0, {}, {}, {})
        self._late: dict[bytes, Late] = {}
        self._ids: dict[bytes, int] = {}

    def load(
        self, experiment: str | None = None, *, strata: Collection[str] | None = None
    ) -> Standing:
        """Where learning stands: copies, so that later commits do not show."""
        now, every = self._standing, experiment is None
        return Standing(
            positions=dict(now.positions),
            watermark=now.watermark,
            sums={
                key: one
                for key, one in now.sums.items()
                if (every or key.experiment == experiment)
                and (strata is None or key.stratum in strata)
            },
            counts={
                key: count for key, count in now.counts.items() if every or key[0] == experiment
            },
            open={name: count for name, count in now.open.items() if every or name == experiment},
        )

    def commit(self, commit: Commit) -> None:
        """Add one step of the ring: work out all of it, then put it in place."""
        if already_in(commit, self._standing.positions):
            return
        if not self._ids.keys().isdisjoint(commit.ids):
            raise StaleError("some of this was added already")
        now, every = self.load(), {late.identity: late for late in commit.late}
        for topic, records in commit.output.items():
            self._log.ends(topic)
            codec.join(records)
        for key, added in commit.sums.items():
            total = now.sums.pop(key, Sums()) + added
            if any(total):
                now.sums[key] = total
        new = {identity: late for identity, late in every.items() if identity not in self._late}
        counts = Counter(now.counts) + Counter((late.experiment, "late") for late in new.values())
        for place, count in commit.counts.items():
            counts[place] += count
        now.counts = dict(counts)
        now.open.update(commit.open)
        now.positions.update(commit.positions)
        now.watermark = commit.watermark
        for topic, records in commit.output.items():
            self._log.append(topic, records)
        self._late |= new
        self._ids |= commit.ids
        self._standing = now

    def known(self, ids: Collection[bytes]) -> set[bytes]:
        """Which of these have been committed already."""
        return self._ids.keys() & set(ids)

    def trim_late(self, stamp: int) -> int:
        """Forget records set aside before `stamp`; how many."""
        kept = {identity: late for identity, late in self._late.items() if late.stamp >= stamp}
        forgotten = len(self._late) - len(kept)
        self._late = kept
        return forgotten

    def trim_ids(self, before: int) -> int:
        """Forget ids of data from before this time; how many."""
        kept = {identity: at for identity, at in self._ids.items() if at >= before}
        forgotten = len(self._ids) - len(kept)
        self._ids = kept
        return forgotten
