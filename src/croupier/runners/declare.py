"""What was ever declared is read from the log; what settings change is appended."""

import logging
from pathlib import Path

from croupier.apps.candidates.tables import first_arms
from croupier.clock import Clock
from croupier.config.candidates import open_table
from croupier.config.errors import ConfigError
from croupier.config.settings import Settings
from croupier.core import codec
from croupier.core.declarations import Declarations
from croupier.core.experiment import MOST_ARMS, Experiment
from croupier.core.records import ArmSet, Declaration
from croupier.ports import ARMS, EventLog, UnavailableError
from croupier.runners.history import History

_LOG = logging.getLogger(__name__)


def read_declarations(log: EventLog) -> Declarations:
    """What was ever declared."""
    return History(log).declarations


def must_be_declared(declarations: Declarations, name: str) -> None:
    """ConfigError, with the names that there are, for an experiment that was never declared."""
    if name not in declarations.names():
        expected = ", ".join(declarations.names()) or "nothing: none was ever declared"
        raise ConfigError(f"no experiment {name!r}, expected {expected}")


def declare(settings: Settings, log: EventLog, clock: Clock) -> History:
    """What was ever declared, after what the settings change has been appended."""
    history, now = History(log), clock.now()
    for spec in settings.experiments:
        changes = _changes(spec, Path(settings.folder), history.declarations, now)
        if changes:
            log.append(ARMS, [codec.encode(record) for record in changes]).result()
            history.follow()
        for record in changes:
            _LOG.info("%s: declared %s", spec.name, _in_words(record))
    return history


def declared_with(settings: Settings, log: EventLog, clock: Clock) -> Declarations:
    """What would be declared once the settings were; nothing is appended."""
    declarations, now = read_declarations(log), clock.now()
    for spec in settings.experiments:
        for record in _changes(spec, Path(settings.folder), declarations, now):
            declarations.apply(record)
    return declarations


def _changes(
    spec: Experiment, folder: Path, declarations: Declarations, now: int
) -> list[Declaration | ArmSet]:
    """The records that make `spec` the current declaration; ConfigError where there can be none."""
    new = spec.candidates is not None and spec.name not in declarations.names()
    first = _first_arms(spec, folder, now) if new else {}
    changes = list(declarations.changes(spec, now, first))
    for record in changes:
        if isinstance(record, ArmSet) and len(record.arms) > MOST_ARMS:
            raise ConfigError(
                f'experiment "{spec.name}": arms: {len(record.arms)} arms were ever declared, '
                f"numbers end at {MOST_ARMS}: continue under a new name"
            )
    return changes


def _first_arms(spec: Experiment, folder: Path, now: int) -> dict[str, str]:
    """The arms of a new experiment; without any there is nothing to show, and no start."""
    assert spec.candidates is not None
    try:
        return first_arms(spec, open_table(spec.candidates.source, folder), now)
    except UnavailableError as error:
        raise ConfigError(
            f'experiment "{spec.name}": candidates: no arms yet, and none to be had: {error}'
        ) from error


def _in_words(record: Declaration | ArmSet) -> str:
    if isinstance(record, ArmSet):
        return "arms " + ", ".join(arm.name for arm in record.arms if arm.status == "active")
    return f"version {record.version}, reward version {record.reward_version}"
