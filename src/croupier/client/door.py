"""Croupier: what a page holds; never raises into it, never keeps it waiting."""

import logging
import ssl
import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Self
from urllib.parse import quote
from weakref import finalize

from croupier.client import processes
from croupier.client.fallbacks import Default, Fallbacks
from croupier.client.messages import CallError, Decided, decided_at, read_decided, write_request
from croupier.client.outbox import Outbox, Rejected
from croupier.client.patience import Breaker
from croupier.client.wire import Wire

_LOG = logging.getLogger("croupier.client")


class Croupier:
    """Decisions from a Croupier server, and reports to it; threads and forks may share one.

    >>> with Croupier("http://127.0.0.1:9", {"top-button": "install"}) as croupier:
    ...     decided = croupier.decide("top-button", unit="u-17")
    ...     croupier.impression(decided)  # of a default: counted, not sent
    >>> decided.arm, decided.is_default, decided.reason
    ('install', True, 'unreachable')
    """

    def __init__(  # noqa: PLR0913 - all but the first two have good defaults
        self,
        url: str,
        defaults: Mapping[str, Default],
        timeout: float = 0.2,
        *,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        failures: int = 5,
        pause: float = 1.0,
        buffer: int = 10_000,
        batch: int = 500,
        linger: float = 0.2,
        events_timeout: float = 5.0,
        exit_timeout: float = 2.0,
        on_rejected: Rejected | None = None,
    ) -> None:
        """ValueError for settings that cannot work; nothing is sent and no thread started yet.

        Args:
            url: where the server is, `http://…` or `https://…`.
            defaults: what to show, by experiment, when it cannot be reached; a list for a slate.
            timeout: seconds that `decide` may take in all: name, connection, sending, answer.
            api_key: of this server, if it has some; CROUPIER_API_KEY if not given.
            headers: sent with every request, for a gateway's key.
            tls: for https, instead of the system's certificates.
            failures: so many in a row open the circuit: defaults at once, without asking.
            pause: seconds until one call probes again; longer while that fails.
            buffer: most events kept until the server takes them; then the oldest are dropped.
            batch: most events of a request.
            linger: seconds that an event may wait for company.
            events_timeout: seconds for a batch, in the background.
            exit_timeout: seconds that `close` and the end of the process may wait for answers.
            on_rejected: called with each rejected event and the reason, mostly in the background.
        """
        numbers = (timeout, failures, pause, buffer, batch, events_timeout)
        if not all(number > 0 for number in numbers) or min(linger, exit_timeout) < 0:
            raise ValueError("time-outs, pauses and sizes must be positive")
        self._fallbacks, self._ahead = Fallbacks(defaults), 0.0
        self._timeout, self._exit_timeout = timeout, exit_timeout
        self._wire, self._breaker = Wire(url, headers, tls, api_key), Breaker(failures, pause)
        send = partial(self._wire.post, "/v1/events", timeout=events_timeout)
        self._outbox = Outbox(send, on_rejected, buffer, batch, linger)
        finalize(self, self._outbox.stop).atexit = False
        processes.close_at_exit(self._outbox, exit_timeout)

    def decide(
        self,
        experiment: str,
        unit: str,
        eligible: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        exposed: bool = False,  # noqa: FBT001, FBT002 - as in the contract
        *,
        default: Default | None = None,
    ) -> Decided:
        """What to show to a unit: the server's decision, or else the declared default.

        `exposed`: report the impression too, if a decision came in time. (The server's own
        `exposed` would log an arm as seen even if its answer came too late to be shown.)
        `default`: instead of the declared one, where `eligible` or `exclude` forbid that.
        The `reason` of a default: `timeout`; `unreachable`; `server_error` (5xx, 3xx, 429, or not
        Croupier); `garbage` (no decision in the answer); `refused` (unknown experiment, no arm
        left …); `circuit_open`; `undeclared` (no default for it: the arm is ""); `closed`; `error`.
        """
        try:
            decided = self._decide(experiment, unit, eligible, exclude, default)
        except CallError as failure:
            return self._fallbacks.make(experiment, default, failure.code, str(failure))
        except Exception as error:  # noqa: BLE001 - the page goes on, whatever is wrong with us
            return self._fallbacks.make(experiment, default, "error", repr(error))
        if exposed:
            self.impression(decided)
        return decided

    def impression(
        self, decided: Decided | str, *, arm: str | None = None, at: float | None = None
    ) -> None:
        """It was seen, the whole slate or one arm of it; give the decision, or its token.

        `at`, milliseconds since 1970, is now if not given, by the server's clock as far as known.
        """
        self._report(decided, "impression", arm=arm, at=at)

    def outcome(
        self,
        decided: Decided | str,
        kind: str,
        value: float | None = None,
        id: str | None = None,  # noqa: A002 - as in the contract
        at: float | None = None,
        *,
        arm: str | None = None,
    ) -> None:
        """Something came of it: a click, a purchase of some `value`. `arm` if there are slots.

        However often it is reported, an outcome without an `id` counts once for a decision, arm
        and kind. Where it may happen twice, give each its own `id`, the order's number for one.
        """
        self._report(decided, kind, arm=arm, at=at, value=value, id=id)

    def flush(self, timeout: float | None = None) -> bool:
        """Send what is buffered now; whether all of it was answered in time."""
        return self._outbox.flush(self._exit_timeout if timeout is None else timeout)

    def close(self) -> None:
        """Send what is buffered, in `exit_timeout` seconds at most; then only defaults are left."""
        self._fallbacks.close()
        self._outbox.close(self._exit_timeout)
        self._wire.close()

    def stats(self) -> dict[str, int]:
        """What was counted in this process since the start or the fork, for your metrics."""
        mine = self._fallbacks.stats() | self._breaker.stats()
        return mine | self._outbox.stats() | self._wire.stats()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _decide(
        self,
        experiment: str,
        unit: str,
        eligible: Iterable[str] | None,
        exclude: Iterable[str] | None,
        default: Default | None,
    ) -> Decided:
        self._fallbacks.demand(experiment, default)
        body = write_request(unit, eligible, exclude)
        path = f"/v1/experiments/{quote(experiment, safe='')}/decide"
        if not self._breaker.admits():
            raise CallError("circuit_open", "it has failed too often, and is asked again soon")
        try:
            answer = self._wire.post(path, body, self._timeout)
            decided = read_decided(answer, experiment)
        except CallError as failure:
            self._judge(failure)
            raise
        except BaseException:  # whoever interrupts us leaves no probe behind
            self._breaker.failed()
            raise
        self._judge(None)
        if (at := decided_at(decided)) is not None:
            self._ahead = at - time.time() * 1000.0  # of the server's clock, milliseconds
        self._fallbacks.unneeded(experiment)
        return decided

    def _judge(self, failure: CallError | None) -> None:
        """Tell the breaker; a refusal shows that the server is well."""
        if failure is None or failure.code == "refused":
            if self._breaker.succeeded():
                _LOG.warning("%s decides again", self._wire.url)
                self._outbox.nudge()
        elif self._breaker.failed():
            _LOG.warning("%s does not decide, defaults are shown: %s", self._wire.url, failure)

    def _report(self, decided: Decided | str, kind: str, **said: Any) -> None:
        if not (token := decided if isinstance(decided, str) else getattr(decided, "token", "")):
            self._outbox.skip()
            return
        event = {"kind": kind, "token": token, "at": int(time.time() * 1000.0 + self._ahead)}
        self._outbox.put(event | {key: said[key] for key in said if said[key] is not None})
