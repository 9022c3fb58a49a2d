"""The schedule of candidates: each table is read when it is due, beside the ring."""

import logging
import threading
from collections.abc import Mapping

import msgspec

from croupier.apps.candidates.tables import CandidateTables
from croupier.clock import Clock
from croupier.core.candidates.schedule import next_due
from croupier.core.duration import MINUTE, SECOND
from croupier.core.refresh import Refresh
from croupier.ports import UnavailableError

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 0.2
_FIRST_WAIT, _LONGEST_WAIT = SECOND, 5 * MINUTE


class Nightly:
    """A thread of its own: reading a table keeps neither the ring nor serving waiting.

    Every table is read once at the start, and again soon where that failed.
    """

    def __init__(self, tables: CandidateTables, schedules: Mapping[str, str], clock: Clock) -> None:
        self._tables, self._schedules, self._clock = tables, schedules, clock
        self._due = dict.fromkeys(schedules, 0)
        self._failed = dict.fromkeys(schedules, 0)
        self._said: dict[str, Refresh] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="croupier-candidates", daemon=True)

    def start(self) -> None:
        """Begin, where there is any table."""
        if self._schedules:
            self._thread.start()

    def stop(self) -> None:
        """End; a table that is being read is not waited for, and changes nothing any more."""
        self._stop.set()

    def turn(self) -> None:
        """Refresh what is due now."""
        for name, schedule in self._schedules.items():
            now = self._clock.now()
            if now < self._due[name] or self._stop.is_set():
                continue
            if self._refresh(name):
                self._failed[name], self._due[name] = 0, next_due(schedule, now)
            else:
                wait = min(_LONGEST_WAIT, _FIRST_WAIT << min(self._failed[name], 20))
                self._failed[name] += 1
                self._due[name] = min(now + wait, next_due(schedule, now))

    def _run(self) -> None:
        while not self._stop.is_set():
            self.turn()
            self._stop.wait(_LOOK_SECONDS)

    def _refresh(self, name: str) -> bool:
        """Whether the table was read; a refusal is an answer, and waits for its next time."""
        try:
            found = self._tables.refresh(name)
        except UnavailableError as error:
            _LOG.warning("%s: candidates: trying again: %s", name, error)
            return False
        except Exception:  # noqa: BLE001 - the next try may do better, the thread must live
            _LOG.exception("%s: candidates: trying again", name)
            return False
        said = msgspec.structs.replace(found, version=0)
        if self._said.get(name) != said:  # the same trouble every night is told once
            _say(found)
        self._said[name] = said
        return found.outcome != "unreadable"


def _say(found: Refresh) -> None:
    name = found.experiment
    if found.outcome == "unreadable":
        _LOG.warning("%s: candidates: trying again: %s", name, found.reason)
    elif found.outcome == "refused":
        _LOG.error("%s: candidates: nothing was changed: %s", name, found.reason)
    elif found.outcome == "changed":
        _LOG.info("%s: candidates: %s", name, found.change.words())
    for bad in found.bad_rows:
        _LOG.warning("%s: candidates: row %s: %s: %s", name, bad.row, bad.column, bad.reason)
