"""What join and observe do with one partition of their topic, each for itself."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Protocol

from croupier.apps.join import Join
from croupier.apps.observe import Observe
from croupier.core import codec
from croupier.core.declarations import Declarations
from croupier.core.fold import Stage
from croupier.core.open_trials import OpenTrials
from croupier.core.records import Event, Funnel, Marker
from croupier.core.watermark import Watermark
from croupier.ports import EVENTS, FUNNELS, OBSERVATIONS, Entry, Late

Keyed = list[tuple[bytes, bytes]]
"""Partition keys, and the records that they place."""


class Part(Protocol):
    """A keyed stage over one partition: records go in, what closed comes out."""

    reads: str
    writes: str
    time: Watermark
    stage: Stage[Any, Any, Any, Any]

    def feed(self, entries: list[Entry]) -> list[Late]:
        """Apply every record, then move time; the same again has no effect."""

    def resume(self, watermark: int) -> None:
        """Time has come so far, and what closed up to there was told before: forget it."""

    def close(self) -> Keyed:
        """What has closed by now."""

    def told_open(self) -> Keyed:
        """What is to be told now of trials that are open: to whoever holds all of a partition."""

    @property
    def open(self) -> Counter[str]:
        """How many stories are open, by experiment."""


class JoinPart:
    """Events of one partition → funnels, placed by experiment and unit: a session's must meet."""

    reads, writes = EVENTS, FUNNELS

    def __init__(self, declarations: Declarations, partition: int, _: Iterable[int]) -> None:
        self._partition = partition
        self._join = Join(declarations, [partition])
        self.time, self.stage = self._join.time, self._join.stage

    def feed(self, entries: list[Entry]) -> list[Late]:
        """Apply events; time is the newest stamp."""
        return self._join.feed(entries)

    def resume(self, watermark: int) -> None:
        """Forget stories that closed."""
        self.time.reach(self._partition, watermark)
        self.stage.settle(watermark)

    def close(self) -> Keyed:
        """The funnels of stories whose time is up."""
        return [(story_key(one), codec.encode(one)) for one in self._join.close()]

    def told_open(self) -> Keyed:
        """How the open trials stand."""
        return [_placed(one) for one in self._join.count_open(self._partition)]

    @property
    def open(self) -> Counter[str]:
        """Open stories."""
        return self.stage.count


class ObservePart:
    """Funnels of one partition → observations; time is the least that `join` has marked."""

    reads, writes = FUNNELS, OBSERVATIONS

    def __init__(self, declarations: Declarations, _: int, sources: Iterable[int]) -> None:
        self._observe, self._sources = Observe(declarations), list(sources)
        self.time, self.stage = Watermark(self._sources), self._observe.stage
        self._told_open: dict[tuple[str, int, int], OpenTrials] = {}

    def feed(self, entries: list[Entry]) -> list[Late]:
        """Apply funnels, then let the markers behind them move time."""
        records = list(codec.decode_all(entry.payload for entry in entries))
        self._observe.feed(one for one in records if isinstance(one, Funnel))
        for one in records:
            if isinstance(one, Marker):
                self.time.reach(one.source, one.watermark)
            elif isinstance(one, OpenTrials):
                self._told_open[one.experiment, one.source, one.part] = one
        return []

    def resume(self, watermark: int) -> None:
        """Forget sessions that closed."""
        for source in self._sources:
            self.time.reach(source, watermark)
        self.stage.settle(watermark)

    def close(self) -> Keyed:
        """The observations of sessions whose time is up."""
        closed = self._observe.close(self.time.value)
        return [(observation.id, codec.encode(observation)) for observation in closed]

    def told_open(self) -> Keyed:
        """What `join` said of open trials, handed on."""
        told, self._told_open = self._told_open, {}
        return [_placed(one) for one in told.values()]

    @property
    def open(self) -> Counter[str]:
        """Open sessions."""
        return self.stage.count


def _placed(trials: OpenTrials) -> tuple[bytes, bytes]:
    """All that one partition says of open trials goes the same way, in order."""
    return b"%d" % trials.source, codec.encode(trials)


def story_key(record: Event | Funnel) -> bytes:
    """What places a record, in its topic and further: whatever meets in one story has one key."""
    if isinstance(record, Event):
        return record.decision.tracking_id
    return b"%s\0%s" % (record.decision.experiment.encode(), record.decision.unit)
