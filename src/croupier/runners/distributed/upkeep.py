"""What learn does beside learning: publish, keep house, follow, mend the cache."""

import logging
from collections.abc import Callable

from croupier.config.services import Stores
from croupier.ports import UnavailableError
from croupier.runners.distributed.learning import Learner
from croupier.runners.history import History

_LOG = logging.getLogger(__name__)
_FOLLOW_EVERY, _MEND_EVERY = 1_000, 5_000


class Upkeep:
    """One turn does what is due; what cannot be done now is done at a later turn."""

    def __init__(self, stores: Stores, history: History, learner: Learner) -> None:
        self._stores, self._history, self._learner = stores, history, learner
        self._followed = self._mended = 0
        history.on_change.append(self._hasten)

    def publish(self) -> None:
        """Publish what has changed, and keep house once an hour."""
        forgiving("publishing", self._learner.refresh)
        forgiving("keeping house", self._learner.keep_house)

    def _hasten(self, _: str) -> None:
        """What is declared is told to the cache at the next turn."""
        self._mended = 0

    def turn(self) -> None:
        """Publish; follow what is declared; tell the cache again what it may have lost."""
        self.publish()
        now = self._stores.clock.now()
        if now >= self._followed + _FOLLOW_EVERY:
            self._followed = now
            forgiving("declarations", self._history.follow)
        if now >= self._mended + _MEND_EVERY:
            self._mended = now
            forgiving("the cache", lambda: self._stores.mend(self._learner.learn.published))
            forgiving("the cache", lambda: self._stores.declare(self._history.newest()))


def forgiving(what: str, action: Callable[[], object]) -> object:
    """What the action answers; None, and a warning, when a technology cannot now."""
    try:
        return action()
    except UnavailableError as error:
        _LOG.warning("%s: again later: %s", what, error)
        return None
