"""Candidates as runners have them: declared tables, read when they are due."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from croupier.apps.candidates.tables import CandidateTables, Record
from croupier.clock import Clock
from croupier.config.candidates import open_table
from croupier.config.errors import ConfigError
from croupier.config.settings import Settings
from croupier.core.declarations import Declarations
from croupier.core.experiment import Experiment
from croupier.ports import EventLog, Table, UnavailableError
from croupier.runners.history import History
from croupier.runners.nightly import Nightly
from croupier.runners.recorder import ArmRecorder


class DeclaredTables(Mapping[str, Table]):
    """The tables that experiments declare now; files from `folder` on."""

    def __init__(self, specs: Mapping[str, Experiment], folder: Path) -> None:
        self._specs, self._folder = specs, folder

    def __getitem__(self, name: str) -> Table:
        """KeyError for an experiment without one; UnavailableError where we know no such kind."""
        candidates = self._specs[name].candidates
        if candidates is None:
            raise KeyError(name)
        try:
            return open_table(candidates.source, self._folder)
        except ConfigError as error:  # declared elsewhere, by another version
            raise UnavailableError(str(error)) from error

    def __iter__(self) -> Iterator[str]:
        return (name for name, spec in self._specs.items() if spec.candidates is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def tables_of(
    settings: Settings,
    specs: Mapping[str, Experiment],
    declarations: Declarations,
    record: Record,
    counters: Counter[tuple[str, ...]],
) -> CandidateTables:
    """Who refreshes the arms of these experiments, files beside our own `croupier.toml`."""
    tables = DeclaredTables(specs, Path(settings.folder))
    return CandidateTables(specs, tables, declarations, record, counters)


def nightly(settings: Settings, tables: CandidateTables, clock: Clock) -> Nightly:
    """The schedule that the settings declare, not begun yet."""
    schedules = {
        spec.name: spec.candidates.schedule for spec in settings.experiments if spec.candidates
    }
    return Nightly(tables, schedules, clock)


@contextmanager
def scheduled(
    settings: Settings, log: EventLog, clock: Clock, history: History
) -> Iterator[Nightly]:
    """Tables are read when they are due, as long as this lasts: beside `learn`, there is one."""
    specs = {spec.name: spec for spec in settings.experiments}
    record = ArmRecorder(log, clock, history).record
    tables = tables_of(settings, specs, history.declarations, record, Counter())
    made = nightly(settings, tables, clock)
    made.start()
    try:
        yield made
    finally:
        made.stop()
