"""The loop of join and observe: read, feed, tell what closed, mark time, commit."""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter
from typing import TypeVar

from croupier.config.services import Stores
from croupier.core import codec
from croupier.core.declarations import Declarations
from croupier.core.records import Marker
from croupier.ports import Commit, Entry, Late, UnavailableError, entries_between
from croupier.runners.distributed.parts import Part
from croupier.runners.history import History, reach_back

_LOG = logging.getLogger(__name__)
_ENTRIES, _MARK_EVERY, _RETRY_SECONDS = 512, 250, 0.5
T = TypeVar("T")
Make = Callable[[Declarations, int, Iterable[int]], Part]


class StoppedError(Exception):
    """Told to stop while a technology was away; what was under way is done again at the start."""


class Worker:
    """Some partitions of a topic, each with its own part, positions and watermark."""

    def __init__(  # noqa: PLR0913 - what it works on, and how it is stopped
        self,
        app: str,
        make: Make,
        stores: Stores,
        history: History,
        partitions: Collection[int],
        sources: Collection[int],
        stop: threading.Event,
    ) -> None:
        self._log, self.stop = stores.log, stop
        self.places = {
            number: Place(stores, app, number, make(history.declarations, number, sources), history)
            for number in partitions
        }

    def recover(self) -> None:
        """Hold what was open at the last commits, by reading the log from watermark − H on."""
        for place in self.places.values():
            insist(place.recover, self.stop)

    def step(self) -> bool:
        """Read on and take what is there; False when there was nothing."""
        positions = {number: place.position for number, place in self.places.items()}
        if not positions:
            return False
        topic = next(iter(self.places.values())).part.reads
        entries = insist(lambda: self._log.read(topic, positions, _ENTRIES), self.stop)
        entries.sort(key=attrgetter("partition", "offset"))
        for number, some in groupby(entries, attrgetter("partition")):
            self.places[number].take(list(some), self.stop)
        return bool(entries)


class Place:
    """One partition: its part, how far it is committed, and how far it is marked.

    Invariant: what is committed (position and watermark, of one moment) is told: all that closed up
    to that watermark is on the log, and a marker behind it says so. Killed anywhere, a step is done
    again from there; what it tells twice is the same, and has no effect.
    """

    def __init__(self, stores: Stores, app: str, number: int, part: Part, history: History) -> None:
        self.part, self.number, self.position = part, number, 0
        self._log, self._history = stores.log, history
        self._states = stores.states(f"{app}.{number}")
        self._marked = 0

    def recover(self) -> None:
        """Read again what may belong to something open, and forget what closed."""
        standing = self._states.load(strata=())
        self.position, watermark = standing.positions.get(self.number, 0), standing.watermark
        begin = reach_back(self._history.declarations, watermark)
        start = self._log.since(self.part.reads, begin)[self.number]
        end = {self.number: self.position}
        for entries in entries_between(self._log, self.part.reads, {self.number: start}, end):
            self._feed(entries)
            self.part.resume(watermark)
        self.part.resume(watermark)

    def take(self, entries: list[Entry], stop: threading.Event) -> None:
        """One step: all of it, or it is done again after the next start."""
        late = insist(lambda: self._feed(entries), stop)
        watermark, closed = self.part.time.value, self.part.close()
        closed += self.part.told_open()
        if closed:
            keys, records = zip(*closed, strict=True)
            insist(lambda: self._log.append(self.part.writes, records, keys).result(), stop)
        if closed or watermark >= self._marked + _MARK_EVERY:
            marker = codec.encode(Marker(source=self.number, watermark=watermark))
            insist(lambda: self._log.append(self.part.writes, [marker]).result(), stop)
            self._marked = watermark
        shown, position = self.part.open, entries[-1].offset + 1
        commit = Commit(
            positions={self.number: position},
            watermark=watermark,
            since={self.number: self.position} if self.position else {},
            open={name: shown[name] for name in self._history.declarations.names()},
            late=late,
        )
        insist(lambda: self._states.commit(commit), stop)
        self.position = position

    def _feed(self, entries: list[Entry]) -> list[Late]:
        return self._history.knowing(lambda: self.part.feed(entries))


def insist(action: Callable[[], T], stop: threading.Event) -> T:
    """What the action answers, once the technology behind it can; StoppedError when told to."""
    said = ""
    while True:
        try:
            return action()
        except UnavailableError as error:
            if str(error) != said:
                _LOG.error("trying again: %s", error)
            said = str(error)
            if stop.wait(_RETRY_SECONDS):
                raise StoppedError(said) from error


@contextmanager
def stoppable() -> Iterator[None]:
    """Around all of a process: told to stop while it waited, it says so in a line, and ends."""
    try:
        yield
    except StoppedError as error:
        _LOG.warning("stopped while waiting: %s", error)
