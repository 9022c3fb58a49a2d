"""Keeping one query running: what a failure means for its checkpoint."""

import logging
import re
import threading
from collections.abc import Callable
from typing import Any

from croupier.ports import UnusableError
from croupier.runners.spark.misfit import MisfitError

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 0.2
_LONGEST = 300
_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(r"\s*(at \S+\(|File \")")


class Supervised:
    """A query that is started again whenever it ends by itself.

    Spark's messages about damaged checkpoints mislead, and there are many; so none is read. A
    query that fails after it committed something new is started again as it is. One that fails
    without is started again once, for a start waits until log and stores answer, and what failed
    may have been one of these. One that fails then has a checkpoint that is no use, though it may
    take the batch before again and again: this is set aside (`recover`) or told. A failure that
    outlives all that is nobody's of these: it is told.
    """

    def __init__(
        self,
        name: str,
        set_aside: Callable[[], str],
        stop: threading.Event,
        *,
        recover: bool,
    ) -> None:
        self._name, self._set_aside, self._stop, self._recover = name, set_aside, stop, recover
        self._taken = 0
        self._errors: list[BaseException] = []

    def taking(
        self, take: Callable[[list[Any]], None], stood: Callable[[], object]
    ) -> Callable[[list[Any]], None]:
        """What takes a batch, watched: an error of our own is not the checkpoint's.

        `stood` tells where what is committed stands.
        """

        def taken(rows: list[Any]) -> None:
            before = stood()
            try:
                take(rows)
            except BaseException as error:
                self._errors.append(error)
                raise
            self._taken += stood() != before

        return taken

    def run(self, start: Callable[[], Any], turn: Callable[[], object] = lambda: None) -> None:
        """Run until told to stop, or until a query has read all there is; `turn` now and then.

        UnusableError when neither starting again nor another checkpoint helps.
        """
        again, aside = False, False
        while not self._stop.is_set():
            before = self._taken
            self._errors.clear()
            failure = self._watch(start, turn)
            if failure is None:
                return
            misfit = self._misfits()
            if self._taken > before and not misfit:
                again, aside = False, False
            elif again or misfit:
                if aside or not self._recover:
                    raise UnusableError(
                        f"{self._name}: Spark cannot go on: {_telling_line(failure)}. "
                        + ("A new checkpoint does not help" if aside else "--recover sets it aside")
                    ) from failure
                again, aside = False, True
                self._begin_another(_telling_line(failure))
                continue
            else:
                again = True
            _LOG.warning("%s: begun again: %s", self._name, _telling_line(failure))

    def _misfits(self) -> bool:
        """Whether the checkpoint was found not to fit; any other error of our own is raised."""
        for error in self._errors:
            if not isinstance(error, MisfitError):
                raise error
        return bool(self._errors)

    def _begin_another(self, reason: str) -> None:
        try:
            before = self._set_aside()
        except OSError as error:
            raise UnusableError(f"{self._name}: {_telling_line(error)}; {reason}") from error
        _LOG.error("%s: checkpoint %s set aside: %s", self._name, before, reason)

    def _watch(self, start: Callable[[], Any], turn: Callable[[], object]) -> BaseException | None:
        try:
            query = start()
        except Exception as error:  # noqa: BLE001 - whatever a checkpoint can do to Spark
            return error
        while query.isActive and not self._stop.wait(_LOOK_SECONDS):
            turn()
        failure: BaseException | None = query.exception()
        if self._stop.is_set():
            query.stop()
            return None
        return failure


def _telling_line(error: BaseException) -> str:
    """What the last Python traceback in the message ends with; else its first line that tells."""
    lines = [line.rstrip() for line in str(error).splitlines() if line.strip()]
    begun = [place for place, line in enumerate(lines) if line.endswith(_TRACEBACK)]
    ends = [line for line in lines[begun[-1] + 1 :] if not line[0].isspace()] if begun else []
    told = [line.strip() for line in lines if not _FRAME.match(line)]
    return next(iter(ends + told + lines), type(error).__name__)[:_LONGEST]
