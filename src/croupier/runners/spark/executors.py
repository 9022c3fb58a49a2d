"""What Spark's Python workers do beside folding: connect, and send."""

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice

from croupier.config.services import open_log
from croupier.ports import EventLog
from croupier.runners.distributed.worker import insist
from croupier.runners.history import History
from croupier.runners.spark.turn import Plain, Row

_APPEND = 2_000
NEVER = threading.Event()
"""Nobody tells a task to stop: Spark ends it."""


@lru_cache(maxsize=4)
def log_at(url: str) -> EventLog:
    """The log, opened once in each worker process."""
    return insist(lambda: open_log(url, read_only=True), NEVER)


@lru_cache(maxsize=4)
def history_at(url: str) -> History:
    """What was declared, read once in each worker process, and on where a version is unknown."""
    return insist(lambda: History(log_at(url)), NEVER)


class Sender:
    """Appends what closed to the next topic, durably; the other rows go on to the driver.

    A task that is run again sends the same again: that has no effect, as every reader knows it.
    """

    def __init__(self, open_: Callable[[], EventLog], topic: str) -> None:
        self._open, self._topic = open_, topic

    def __call__(self, rows: Iterable[Plain]) -> Iterator[Row]:
        """The rows that are not `told`, all that is told being on the log before the last."""
        source = map(Row._make, rows)
        while some := list(islice(source, _APPEND)):
            told = [row for row in some if row.kind == "told"]
            if told:
                self._append([row.payload for row in told], [row.key for row in told])
            yield from (row for row in some if row.kind != "told")

    def _append(self, records: list[bytes], keys: list[bytes]) -> None:
        log = self._open()
        insist(lambda: log.append(self._topic, records, keys).result(), NEVER)
