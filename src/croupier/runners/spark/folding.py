"""Spark's driver for join and observe: where to begin, what a batch commits."""

import threading
from collections import Counter
from collections.abc import Iterable
from functools import partial

import msgspec

from croupier.config.services import Stores
from croupier.core import codec
from croupier.core.records import Marker
from croupier.ports import Commit, Late, Positions, StateStore
from croupier.runners.distributed.worker import insist
from croupier.runners.history import History, reach_back
from croupier.runners.spark.misfit import must_reach
from croupier.runners.spark.shares import Floor
from croupier.runners.spark.turn import PARTS, App, Plain, Row, Stood


class Folding:
    """The partitions of join or observe, each with the position and watermark of a plain worker.

    The stores are the truth, and the same truth as a plain worker's (its scopes are join.0 and so
    on); Spark's checkpoint is a copy of what was open. So whatever happens to it, and whoever ran
    last, a query begins at the committed watermark − H, and a batch that stands at or before the
    committed position is one that was done before.
    """

    def __init__(self, app: App, stores: Stores, history: History, stop: threading.Event) -> None:
        self._stores, self._history, self._stop = stores, history, stop
        self._part = PARTS[app]
        self._partitions = sorted(stores.log.ends(self._part.reads))
        self._places = {number: stores.states(f"{app}.{number}") for number in self._partitions}
        self._positions: Positions = {}
        self.closed: dict[int, int] = {}
        self.starts: Positions = {}
        self.floors: dict[int, Floor] = {}

    def recover(self) -> None:
        """Look where the stores stand, and where reading has to begin without a checkpoint."""
        for number, states in self._places.items():
            standing = insist(partial(states.load, ""), self._stop)
            self._positions[number] = standing.positions.get(number, 0)
            self.closed[number] = standing.watermark
            begin = reach_back(self._history.declarations, standing.watermark)
            since = partial(self._stores.log.since, self._part.reads, begin)
            self.starts[number] = insist(since, self._stop)[number]
        self._find_floors()

    def stood(self) -> Positions:
        """What is committed now."""
        return dict(self._positions)

    def take(self, rows: Iterable[Plain]) -> None:
        """One batch, whose closed stories are on the log: mark time behind them, then commit."""
        late: dict[int, list[Late]] = {}
        stood: dict[int, list[Stood]] = {}
        for row in map(Row._make, rows):
            if row.kind == "late":
                late.setdefault(row.partition, []).append(
                    Late(*msgspec.msgpack.decode(row.payload, type=tuple[bytes, str, int, bytes]))
                )
            else:
                stood.setdefault(row.partition, []).append(
                    msgspec.msgpack.decode(row.payload, type=Stood)
                )
        commits = {
            number: self._commit_of(number, many, late.get(number, []))
            for number, many in stood.items()
            if max(one.position for one in many) > self._positions[number]
        }
        markers = [
            codec.encode(Marker(source=number, watermark=commit.watermark))
            for number, commit in commits.items()
        ]
        if markers:
            append = self._stores.log.append
            insist(lambda: append(self._part.writes, markers).result(), self._stop)
        for number, commit in commits.items():
            self._commit(number, self._places[number], commit)

    def _commit_of(self, number: int, many: list[Stood], late: list[Late]) -> Commit:
        before, first = self._positions[number], min(one.first for one in many)
        must_reach(f"partition {number} of {self._part.reads}", before, self.starts[number], first)
        opened: Counter[str] = Counter()
        for one in many:
            opened.update(one.open)
        return Commit(
            positions={number: max(one.position for one in many)},
            watermark=min(one.watermark for one in many),
            since={number: before} if before else {},
            open={name: opened[name] for name in self._history.declarations.names()},
            late=late,
        )

    def _commit(self, number: int, states: StateStore, commit: Commit) -> None:
        insist(lambda: states.commit(commit), self._stop)
        self._positions[number] = commit.positions[number]

    def _find_floors(self) -> None:
        """Stamps never go back as our reader tells them: where Spark begins, it must know."""
        log, topic = self._stores.log, self._part.reads
        ends = insist(lambda: log.ends(topic), self._stop)
        for number, start in self.starts.items():
            if start < ends[number]:
                found = insist(partial(log.read, topic, {number: start}, 1), self._stop)
                self.floors[number] = Floor(found[0].offset, found[0].stamp)
