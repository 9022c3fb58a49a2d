"""LocalCroupier: the client's calls, decided here from what a server publishes."""

import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self
from weakref import finalize

import msgspec

from croupier.client import Croupier, Decided, processes
from croupier.client.fallbacks import Default, Fallbacks
from croupier.client.messages import CallError
from croupier.core.menus import NoArmLeftError
from croupier.local.answer import make_request, tell
from croupier.local.follower import Follower
from croupier.local.source import DEFAULT_KEYS


class LocalCroupier:
    """Decides as the server does, in microseconds; threads and forks may share one.

    >>> with LocalCroupier("no-such.db", {"top-button": "install"}) as croupier:
    ...     decided = croupier.decide("top-button", unit="u-17")
    >>> decided.arm, decided.is_default, decided.reason
    ('install', True, 'unreachable')
    """

    def __init__(  # noqa: PLR0913 - all but the first two have good defaults
        self,
        url: str,
        defaults: Mapping[str, Default],
        *,
        report_url: str | None = None,
        every: float = 1.0,
        stale_after: float = 10.0,
        open_timeout: float = 5.0,
        keys: str | os.PathLike[str] = DEFAULT_KEYS,
        environment: Mapping[str, str] = os.environ,
        **reporting: Any,
    ) -> None:
        """ConfigError or ValueError for settings that cannot work; all else shows in decisions.

        Args:
            url: what `croupier up --data` was given, or `croupier learn --cache`: redis://…
            defaults: what to show, by experiment, when nothing can be decided; a list for a slate.
            report_url: the server that takes reports; without it, hand the token on.
            every: seconds between two looks at what is published.
            stale_after: seconds without a whole look after which decisions are `degraded`.
            open_timeout: seconds that this call may wait for the first look.
            keys: for Redis, the file that `croupier serve --keys` shares.
            environment: where the keys are, if they are not in a file.
            reporting: further arguments of `croupier.client.Croupier`, for the reports.
        """
        if not (every > 0 and stale_after > 0 and open_timeout >= 0):
            raise ValueError("intervals and time-outs must be positive")
        if reporting and report_url is None:
            raise ValueError(f"without report_url nothing is done with {', '.join(reporting)}")
        self._fallbacks = Fallbacks(defaults)
        self._reports = Croupier(report_url, {}, **reporting) if report_url else None
        self.after_fork()
        processes.watch(self)
        self._follower = Follower(url, Path(keys), environment, every, stale_after)
        finalize(self, self._follower.close)
        self._follower.wait(open_timeout)

    def after_fork(self) -> None:
        """Nothing skipped yet; nobody else's lock."""
        self._skipped = 0
        self._menus = threading.Lock()

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
        """What to show to a unit, as the server would decide; or else the declared default.

        The `reason` of a default: `unreachable` (nothing could be read since the start);
        `refused` (unknown experiment, no arm left …); `undeclared`; `closed`; `error`.
        """
        try:
            decided = self._decide(experiment, unit, eligible, exclude, default)
        except CallError as failure:
            return self._fallbacks.make(experiment, default, failure.code, str(failure))
        except (NoArmLeftError, msgspec.ValidationError) as refusal:
            return self._fallbacks.make(experiment, default, "refused", str(refusal))
        except Exception as error:  # noqa: BLE001 - the page goes on, whatever is wrong with us
            return self._fallbacks.make(experiment, default, "error", repr(error))
        if exposed:
            self.impression(decided)
        return decided

    def impression(
        self, decided: Decided | str, *, arm: str | None = None, at: float | None = None
    ) -> None:
        """It was seen; see `croupier.client.Croupier.impression`."""
        if self._reports is None:
            self._skipped += 1
        else:
            self._reports.impression(decided, arm=arm, at=at)

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
        """Something came of it; see `croupier.client.Croupier.outcome`."""
        if self._reports is None:
            self._skipped += 1
        else:
            self._reports.outcome(decided, kind, value, id, at, arm=arm)

    def flush(self, timeout: float | None = None) -> bool:
        """Send what is buffered now; whether all of it was answered in time."""
        return self._reports is None or self._reports.flush(timeout)

    def close(self) -> None:
        """Follow no more, send what is buffered; then only defaults are left."""
        self._fallbacks.close()
        self._follower.close()
        if self._reports is not None:
            self._reports.close()

    def stats(self) -> dict[str, int]:
        """What was counted in this process since the start or the fork, for your metrics."""
        told = {"events_queued": 0, "events_skipped": self._skipped}
        if self._reports is not None:
            stats = self._reports.stats()
            told = {k: n for k, n in stats.items() if k.startswith(("events_", "connections"))}
        return self._fallbacks.stats() | told | self._follower.stats()

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
        service = self._follower.service()
        if service is None:
            raise CallError("unreachable", self._follower.error)
        if experiment not in service.experiments:
            raise CallError("refused", f"no experiment {experiment[:100]!r} is declared")
        request = make_request(unit, eligible, exclude)
        if eligible is None and exclude is None:
            choice = service.decide(experiment, request)
        else:  # menus are made and kept by whoever comes first
            with self._menus:
                choice = service.decide(experiment, request)
        decided = tell(choice, service.signer.sign(choice.decision))
        self._fallbacks.unneeded(experiment)
        return decided
