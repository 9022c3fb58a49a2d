"""source as a process: the declared sources, until it is told to stop."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from croupier.config.errors import ConfigError
from croupier.config.keys import Keys
from croupier.config.services import open_ring
from croupier.config.settings import Settings
from croupier.config.sources import open_dead_letters, open_topic
from croupier.core.sources.declared import Source
from croupier.ports import UnavailableError
from croupier.runners.distributed.process import told_to_stop, wait_for_declarations
from croupier.runners.distributed.serving import service_of
from croupier.runners.distributed.worker import insist, stoppable
from croupier.runners.history import History
from croupier.runners.sourcing.taking import Taker, scope_of

_LOG = logging.getLogger(__name__)
_IDLE_SECONDS, _AGAIN_SECONDS, _SAY_SECONDS = 0.05, 1.0, 60.0


def chosen(settings: Settings, names: Sequence[str]) -> list[Source]:
    """The sources that are named, or all; ConfigError when there is none."""
    known = {source.name: source for source in settings.sources}
    for name in names:
        if name not in known:
            raise ConfigError(f"source {name!r}: not in the file; it has: {', '.join(known)}")
    if not known:
        raise ConfigError("source: the file has no [[source]]")
    return [known[name] for name in dict.fromkeys(names)] or list(settings.sources)


@stoppable()
def run_sources(
    settings: Settings,
    sources: Sequence[Source],
    urls: tuple[str, str],
    keys: Keys,
    environment: Mapping[str, str],
    on_ready: Callable[[], None],
) -> None:
    """Take what the sources tell. A second process on one of them waits until the first ended."""
    stop = told_to_stop()
    log = urls[0]
    stores = insist(lambda: open_ring(*urls), stop)
    takers: list[Turn] = []
    try:
        insist(lambda: stores.hold(list(map(scope_of, sources))), stop)
        history = insist(lambda: History(stores.log), stop)
        wait_for_declarations(settings, history, stop)
        service = service_of(settings, stores, history, keys)
        for source in sources:
            topic = open_topic(source, log, environment)
            dead = insist(partial(open_dead_letters, source, log), stop)
            taker = Taker(source, topic, dead, service, stores, stop)
            taker.follow = history.follow
            takers.append(Turn(taker))
        on_ready()
        while not stop.is_set():
            busy = [turn.step() for turn in takers]
            if not any(busy):
                stop.wait(_IDLE_SECONDS)
    finally:
        for turn in takers:
            turn.taker.close()
        stores.close()


class Turn:
    """A source's turns: one whose technology is away is passed over until it may be back."""

    def __init__(self, taker: Taker) -> None:
        self.taker = taker
        self._again = 0.0
        self._said, self._told = "", time.monotonic()
        self._before = dict(taker.counts)

    def step(self) -> bool:
        """A step, if it is time for one; whether there was anything."""
        now = time.monotonic()
        if now >= self._told + _SAY_SECONDS:
            self._tell(now)
        if now < self._again:
            return False
        try:
            busy = self.taker.step()
        except UnavailableError as error:
            if str(error) != self._said:
                _LOG.error("source %s: trying again: %s", self.taker.source.name, error)
            self._said, self._again = str(error), now + _AGAIN_SECONDS
            return False
        self._said = ""
        return busy

    def _tell(self, now: float) -> None:
        """What was taken since it was told last, if anything."""
        self._told = now
        new = {what: n - self._before.get(what, 0) for what, n in self.taker.counts.items()}
        said = ", ".join(f"{n} {what}" for what, n in sorted(new.items()) if n)
        if said:
            _LOG.info("source %s: %s", self.taker.source.name, said)
        self._before = dict(self.taker.counts)
