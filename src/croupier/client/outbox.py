"""Events on their way: one thread sends them, again and again, until answered."""

import json
import logging
import threading
from collections.abc import Callable
from typing import Any

from croupier.client import processes
from croupier.client.buffer import Buffer
from croupier.client.messages import Answer, CallError, read_settled

_LOG = logging.getLogger("croupier.client")
_LONGEST_EVENT = 16 * 1024
_TO_PART = {400, 413, 422}

Send = Callable[[bytes], Answer]
Rejected = Callable[[dict[str, Any], str], object]


class Outbox:
    """Takes events without delay; the thread starts with the first, in each process its own.

    Sending again what was not answered is safe: the server takes everything once.
    """

    def __init__(
        self, send: Send, on_rejected: Rejected | None, capacity: int, most: int, linger: float
    ) -> None:
        self._send, self._on_rejected = send, on_rejected
        self._bounds = capacity, most, linger
        self._closed = False
        self.after_fork()
        processes.watch(self)

    def after_fork(self) -> None:
        """Empty: what the parent has not sent, the parent will send."""
        self._buffer = Buffer(*self._bounds)
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        self._failing = self._rejecting = False
        if self._closed:
            self._buffer.end()

    def stats(self) -> dict[str, int]:
        """What became of the events."""
        return self._buffer.stats()

    def put(self, event: dict[str, Any]) -> None:
        """Send this event, in time; if that is impossible, it is rejected here and now."""
        try:
            raw = json.dumps(event, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            self._refuse(event, str(error))
            return
        if len(raw) > _LONGEST_EVENT:
            self._refuse(event, f"an event may have at most {_LONGEST_EVENT} bytes")
            return
        self._buffer.put(raw)
        if self._thread is None and not self._closed:
            self._start()

    def skip(self) -> None:
        """An event of a default: nothing is known of it where decisions are made."""
        self._buffer.count("skipped")

    def nudge(self) -> None:
        """The server is back: no need to wait any longer, unless it said so itself."""
        self._buffer.nudge()

    def flush(self, timeout: float) -> bool:
        """Send now; whether all was answered in time."""
        if threading.current_thread() is self._thread:
            return False
        return self._buffer.drain(timeout)

    def stop(self) -> None:
        """Take no more, send what there is at once, then let the thread end."""
        self._closed = True
        self._buffer.end()

    def close(self, timeout: float) -> None:
        """Stop; what has no answer in time is lost, and counted."""
        self.stop()
        self.flush(timeout)
        if lost := self._buffer.abandon():
            _LOG.warning("%d events had no answer before the end: they may be lost", lost)

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None:
                return
            thread = threading.Thread(
                target=self._run, args=(self._buffer,), name="croupier-events", daemon=True
            )
            try:
                thread.start()
            except (
                RuntimeError
            ):  # too many threads, or the interpreter is ending: the next put tries
                return
            self._thread = thread

    # --- in the thread ----------------------------------------------------------------------------

    def _run(self, buffer: Buffer) -> None:
        while batch := buffer.take():
            try:
                answer = self._send(b"[" + b",".join(batch) + b"]")
                self._judge(buffer, batch, answer)
            except CallError as failure:
                buffer.give_back(batch, None)
                self._complain(failure)
            except Exception as error:  # noqa: BLE001 - the thread must live
                buffer.give_back(batch, None)
                self._complain(error)

    def _judge(self, buffer: Buffer, batch: list[bytes], answer: Answer) -> None:
        try:
            rejected = read_settled(answer, len(batch))
        except CallError as failure:
            if failure.code != "refused" or answer.status not in _TO_PART:
                if answer.status >= 500 and answer.status != 503:
                    buffer.part(batch, suspected=True)
                else:
                    buffer.give_back(batch, answer.retry_after)
                self._complain(failure)
                return
            if len(batch) > 1:
                buffer.part(batch, suspected=False)
                return
            rejected = {0: str(failure)}
        if self._failing:
            self._failing = False
            _LOG.warning("events are taken again")
        for place, why in rejected.items():
            self._tell(json.loads(batch[place]), why)
        buffer.settle(batch, len(rejected))  # last: who flushes has then been told

    def _complain(self, failure: Exception) -> None:
        if not self._failing:
            self._failing = True
            _LOG.warning("events are not taken, and kept to be sent again: %s", failure)

    # --- rejected ---------------------------------------------------------------------------------

    def _refuse(self, event: dict[str, Any], why: str) -> None:
        self._buffer.count("queued", "rejected")
        self._tell(event, why)

    def _tell(self, event: dict[str, Any], why: str) -> None:
        if not self._rejecting:
            self._rejecting = True
            _LOG.warning("an event was rejected, further ones are only counted: %s", why)
        if self._on_rejected is not None:
            try:
                self._on_rejected(event, why)
            except Exception:  # noqa: BLE001 - their fault must not stop ours
                _LOG.exception("on_rejected failed")
