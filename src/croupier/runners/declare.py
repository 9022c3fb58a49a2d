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


def declare(settings: Settings, log: EventLog, clock: Clock) -> History:
    """What was ever declared, after what the settings change has been appended."""
    history, now = History(log), clock.now()
    declarations = history.declarations
    for spec in settings.experiments:
        new = spec.candidates is not None and spec.name not in declarations.names()
        first = _first_arms(spec, Path(settings.folder), now) if new else {}
        changes = list(declarations.changes(spec, now, first))
        for record in changes:
            if isinstance(record, ArmSet) and len(record.arms) > MOST_ARMS:
                raise ConfigError(
                    f'experiment "{spec.name}": arms: {len(record.arms)} arms were ever declared, '
                    f"numbers end at {MOST_ARMS}: continue under a new name"
                )
        if changes:
            log.append(ARMS, [codec.encode(record) for record in changes]).result()
            history.follow()
        for record in changes:
            _LOG.info("%s: declared %s", spec.name, _in_words(record))
    return history


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
