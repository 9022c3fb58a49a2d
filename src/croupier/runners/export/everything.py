"""Export: the tables that are wanted, day by day, in bounded memory."""

from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

from croupier.config.backends import Backends
from croupier.core import codec
from croupier.core.duration import DAY
from croupier.core.records import ArmSet, Event, Funnel, Imported, Observation, TimedObservation
from croupier.ports import ARMS, EVENTS, FUNNELS, OBSERVATIONS, entries_between
from croupier.runners.declare import read_declarations
from croupier.runners.export import log
from croupier.runners.export.days import Files, Sheet, Span, Written, day_of
from croupier.runners.export.snapshots import export_snapshots
from croupier.runners.export.states import export_states

_ENTRIES = 32
WHAT = ("log", "observations", "states", "snapshots", "arms")
"""What may be asked for: `log` is events and funnels, `observations` has imports beside it."""

_TOPICS = {"log": (EVENTS, FUNNELS), "observations": (OBSERVATIONS,), "arms": (ARMS,)}


class _Kind(NamedTuple):
    """How records of one type become rows of a table."""

    sheet: Sheet
    rows: Callable[..., Iterator[log.Row]]


_KINDS: dict[type, _Kind] = {
    Event: _Kind(log.EVENTS_SHEET, log.events),
    Funnel: _Kind(log.FUNNELS_SHEET, log.funnels),
    Observation: _Kind(log.OBSERVATIONS_SHEET, log.observations),
    TimedObservation: _Kind(log.OBSERVATIONS_SHEET, log.observations),
    Imported: _Kind(log.IMPORTS_SHEET, log.imports),
    ArmSet: _Kind(log.ARMS_SHEET, log.arm_sets),
}


class Export:
    """Reads through the ports only, and changes nothing: it may run beside the server."""

    def __init__(
        self, backends: Backends, files: Files, experiments: Collection[str], span: Span
    ) -> None:
        self._backends, self._files, self._span = backends, files, span
        self._declarations = read_declarations(backends.log)
        known = self._declarations.names()
        self.unknown = [name for name in experiments if name not in known]
        self._wanted = [name for name in known if not experiments or name in experiments]
        self._names = log.Names(self._declarations)

    def run(self, what: Collection[str]) -> list[Written]:
        """Write these tables; what became of each file."""
        for each in what:
            for topic in _TOPICS.get(each, ()):
                self._topic(topic)
        if "states" in what:
            export_states(self._backends, self._declarations, self._wanted, self._span, self._files)
        if "snapshots" in what:
            export_snapshots(self._backends, self._wanted, self._span, self._files)
        return self._files.written

    def _topic(self, topic: str) -> None:
        """Day by day; the first that a trimmed log holds may not be whole."""
        day = self._first_day(topic, 0)
        trimmed = day if self._is_trimmed(topic) else None
        while day is not None and day < self._span.until:
            if day >= self._span.since:
                self._day(topic, day, whole=day != trimmed)
            day = self._first_day(topic, max(day + 1, self._span.since) * DAY)

    def _day(self, topic: str, day: int, *, whole: bool) -> None:
        source = self._backends.log
        start, end = source.since(topic, day * DAY), source.since(topic, (day + 1) * DAY)
        with self._files.day(day, whole=whole) as tables:
            for entries in entries_between(source, topic, start, end, _ENTRIES):
                for entry in entries:
                    for record in codec.decode_many(entry.payload):
                        kind, name = _KINDS.get(type(record)), _experiment(record)
                        if kind is not None and name in self._wanted:
                            for row in kind.rows(record, entry.stamp, self._names):
                                tables.add(kind.sheet, name, row)

    def _first_day(self, topic: str, stamp: int) -> int | None:
        """The day of the first entry stamped at or after a time; None when there is none."""
        source = self._backends.log
        starts = source.since(topic, stamp)
        found = [source.read(topic, {partition: at}, 1) for partition, at in starts.items()]
        stamps = [entries[0].stamp for entries in found if entries]  # others may write meanwhile
        return min((day_of(each) for each in stamps if each >= stamp), default=None)

    def _is_trimmed(self, topic: str) -> bool:
        source = self._backends.log
        firsts = [source.read(topic, {partition: 0}, 1) for partition in source.ends(topic)]
        return any(first[0].offset > 1 for first in firsts if first)


def _experiment(record: Any) -> str:
    inner = getattr(record, "decision", record)
    return str(getattr(inner, "experiment", ""))
