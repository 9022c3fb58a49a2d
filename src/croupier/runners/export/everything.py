"""Export: the tables that are wanted, day by day, in bounded memory."""

from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

from croupier.config.backends import Backends
from croupier.core import codec
from croupier.core.records import ArmSet, Event, Funnel, Imported, Observation, TimedObservation
from croupier.ports import ARMS, EVENTS, FUNNELS, OBSERVATIONS, entries_between, is_trimmed
from croupier.runners.declare import read_declarations
from croupier.runners.export import log
from croupier.runners.export.days import Files, Sheet, Span, Written
from croupier.runners.export.entries import export_entries
from croupier.runners.export.log_days import LogDay, days_of, first_day
from croupier.runners.export.snapshots import export_snapshots
from croupier.runners.export.states import export_states

_ENTRIES = 32
WHAT = ("log", "observations", "states", "snapshots", "arms", "entries")
"""What may be asked for: `log` is events and funnels, `observations` has imports beside it.

`entries` is the log itself, an archive that `replay` reads."""

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
        if "entries" in what:
            export_entries(self._backends.log, self._span, self._files)
        return self._files.written

    def _topic(self, topic: str) -> None:
        """Day by day; the first that a trimmed log holds may not be whole."""
        source = self._backends.log
        trimmed = first_day(source, topic, 0) if is_trimmed(source, topic) else None
        for one in days_of(source, topic, self._span):
            self._day(topic, one, whole=one.day != trimmed)

    def _day(self, topic: str, one: LogDay, *, whole: bool) -> None:
        source = self._backends.log
        with self._files.day(one.day, whole=whole) as tables:
            for entries in entries_between(source, topic, one.start, one.end, _ENTRIES):
                for entry in entries:
                    for record in codec.decode_many(entry.payload):
                        kind, name = _KINDS.get(type(record)), _experiment(record)
                        if kind is not None and name in self._wanted:
                            for row in kind.rows(record, entry.stamp, self._names):
                                tables.add(kind.sheet, name, row)


def _experiment(record: Any) -> str:
    inner = getattr(record, "decision", record)
    return str(getattr(inner, "experiment", ""))
