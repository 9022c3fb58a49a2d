"""All three ports in dicts: their meaning, written to be read."""

import bisect
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Future

from croupier.clock import Clock
from croupier.core import codec
from croupier.core.arms.sums import Sums
from croupier.core.snapshot import Snapshot
from croupier.ports import (
    TOPICS,
    Commit,
    Entry,
    Late,
    Positions,
    StaleError,
    Standing,
    already_in,
)


class MemoryLog:
    """EventLog in lists, one partition."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: dict[str, list[Entry]] = {topic: [] for topic in TOPICS}
        self._ends = dict.fromkeys(TOPICS, 0)

    def append(self, topic: str, records: Sequence[bytes]) -> "Future[int]":
        """Append as one entry; the future is done at once."""
        done: Future[int] = Future()
        done.set_result(self.append_payload(topic, codec.join(records)))
        return done

    def append_payload(self, topic: str, payload: bytes) -> int:
        """Append joined records; the entry's stamp."""
        stamp, offset = self._clock.now(), self._ends[topic]
        self._entries[topic].append(Entry(0, offset, stamp, payload))
        self._ends[topic] = offset + 1
        return stamp

    def read(self, topic: str, positions: Positions, limit: int) -> list[Entry]:
        """At most `limit` entries from the position on."""
        entries = self._entries[topic]
        start = bisect.bisect_left(entries, positions.get(0, 0), key=lambda entry: entry.offset)
        return entries[start : start + limit]

    def ends(self, topic: str) -> Positions:
        """One behind the last entry."""
        return {0: self._ends[topic]}

    def since(self, topic: str, stamp: int) -> Positions:
        """The first entry stamped at or after `stamp`, or the end."""
        entries = self._entries[topic]
        place = bisect.bisect_left(entries, stamp, key=lambda entry: entry.stamp)
        return {0: entries[place].offset} if place < len(entries) else self.ends(topic)

    def trim(self, topic: str, stamp: int) -> int:
        """Drop entries stamped before `stamp`; how many."""
        kept = [entry for entry in self._entries[topic] if entry.stamp >= stamp]
        dropped = len(self._entries[topic]) - len(kept)
        self._entries[topic] = kept
        return dropped


class MemoryState:
    """StateStore in dicts; its output goes to the log that it was made with."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._standing = Standing({}, 0, {}, {}, {})
        self._late: dict[bytes, Late] = {}
        self._ids: dict[bytes, int] = {}
        self._open: list[bytes] = []

    def load(self, experiment: str | None = None) -> Standing:
        """Where learning stands: copies, so that later commits do not show."""
        now, every = self._standing, experiment is None
        return Standing(
            positions=dict(now.positions),
            watermark=now.watermark,
            sums={key: sums for key, sums in now.sums.items() if every or key[0] == experiment},
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
        payloads = [(topic, codec.join(records)) for topic, records in commit.output.items()]
        for topic, _ in payloads:
            self._log.ends(topic)
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
        for topic, payload in payloads:
            self._log.append_payload(topic, payload)
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

    def save_open(self, chunks: Iterable[bytes]) -> None:
        """Keep a copy of the open stories."""
        self._open = list(chunks)

    def load_open(self) -> list[bytes]:
        """The chunks of that copy."""
        return self._open


class MemorySnapshots:
    """SnapshotCache in lists."""

    def __init__(self) -> None:
        self._history: dict[str, list[Snapshot]] = {}

    def put(self, snapshot: Snapshot) -> bool:
        """Publish; False, and no effect, when this or a later version is there."""
        history = self._history.setdefault(snapshot.experiment, [])
        if history and history[-1].version >= snapshot.version:
            return False
        history.append(snapshot)
        return True

    def latest(self, experiment: str) -> Snapshot | None:
        """The newest snapshot of an experiment."""
        return next(iter(self.history(experiment, 1)), None)

    def history(self, experiment: str, limit: int, before: int | None = None) -> list[Snapshot]:
        """The newest `limit` snapshots, of versions below `before` if given; oldest first."""
        history = self._history.get(experiment, [])
        if before is not None:
            history = history[: bisect.bisect_left(history, before, key=lambda one: one.version)]
        return history[max(0, len(history) - limit) :]

    def trim(self, at: int) -> int:
        """Drop snapshots published before `at`, but never the newest of an experiment."""
        before = sum(map(len, self._history.values()))
        for name, history in self._history.items():
            kept = [snapshot for snapshot in history[:-1] if snapshot.at >= at]
            self._history[name] = kept + history[-1:]
        return before - sum(map(len, self._history.values()))
