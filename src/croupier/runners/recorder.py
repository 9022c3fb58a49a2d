"""Changes of arms are written to the log, which says who was first."""

import threading

import msgspec

from croupier.apps.serve.runner import Change
from croupier.clock import Clock
from croupier.core import codec
from croupier.core.records import ArmSet
from croupier.ports import ARMS, EventLog, UnavailableError
from croupier.runners.history import History

_SECONDS = 10.0
_TRIES = 5


class ArmRecorder:
    """Makes changes of arms, one at a time; whoever follows the history is told of them."""

    def __init__(self, log: EventLog, clock: Clock, history: History) -> None:
        self._log, self._clock, self._history = log, clock, history
        self._lock = threading.Lock()

    def record(self, experiment: str, change: Change, by: str, note: str = "") -> ArmSet:
        """Make a change, durably; the arms as they were if it is none.

        Where two processes change arms at once, the log says who was first; the other tries again.
        """
        book = self._history.declarations
        with self._lock:
            self._history.follow()
            for _ in range(_TRIES):
                before, now = book.arms(experiment), self._clock.now()
                after, words = change(before, now)
                if after == before:
                    return before
                record = msgspec.structs.replace(
                    after, version=before.version + 1, at=now, by=by, note=note, change=words
                )
                try:
                    self._log.append(ARMS, [codec.encode(record)]).result(_SECONDS)
                except TimeoutError:
                    raise UnavailableError("the log is slow: look whether it was made") from None
                self._history.follow()
                if book.arms(experiment) == record:
                    return record
        raise UnavailableError("others change the arms all the time: try again")
