"""What is shown when there is no decision, and how that is counted and told."""

import logging
import threading
from collections import Counter
from collections.abc import Mapping, Sequence

from croupier.client import processes
from croupier.client.messages import CallError, Decided, Shown

_LOG = logging.getLogger("croupier.client")
_MOST_TOLD = 1_000
_TOLD = {"refused", "undeclared", "error"}
"""Reasons that the circuit breaker does not tell of; each is told once an experiment."""

Default = str | Sequence[str]


class Fallbacks:
    """The declared defaults; counts what was decided, and what was not.

    >>> fallbacks = Fallbacks({"top-button": "install", "carousel": ["a", "b"]})
    >>> [shown.arm for shown in fallbacks.make("carousel", None, "timeout", "too late").slate]
    ['a', 'b']
    >>> fallbacks.stats()
    {'decided': 0, 'defaulted': 1, 'defaulted_timeout': 1}
    """

    def __init__(self, declared: Mapping[str, Default]) -> None:
        self._declared = {name: _slate(shown) for name, shown in declared.items()}
        self._closed = False
        self.after_fork()
        processes.watch(self)

    def after_fork(self) -> None:
        """Nothing counted, nothing told."""
        self._lock = threading.RLock()
        self._counts = Counter({"decided": 0, "defaulted": 0})
        self._told: set[tuple[str, str]] = set()

    def close(self) -> None:
        """From now on there are only defaults."""
        self._closed = True

    def demand(self, experiment: str, default: Default | None) -> None:
        """Raise CallError where no decision may be made: after the end, or without a default."""
        if self._closed:
            raise CallError("closed", "the client is closed")
        if default is None and experiment not in self._declared:
            raise CallError("undeclared", f"no default is declared for {experiment!r}")

    def stats(self) -> dict[str, int]:
        """Decisions, defaults, and defaults by reason."""
        with self._lock:
            return dict(self._counts)

    def unneeded(self, experiment: str) -> None:
        """There was a decision."""
        with self._lock:
            self._counts["decided"] += 1
            self._told.discard((experiment, "refused"))

    def make(self, experiment: str, default: Default | None, reason: str, detail: str) -> Decided:
        """What is shown instead, and why."""
        with self._lock:
            self._counts["defaulted"] += 1
            self._counts[f"defaulted_{reason}"] += 1
            old = (experiment, reason) in self._told or len(self._told) >= _MOST_TOLD
            if news := reason in _TOLD and not old:
                self._told.add((experiment, reason))
        if news:
            _LOG.warning("the default of %r is shown: %s", experiment, detail)
        slate = self._declared.get(experiment, ()) if default is None else _slate(default)
        return Decided(
            arm=slate[0].arm if slate else "",
            token="",
            propensity=1.0,
            reason=reason,
            is_default=True,
            experiment=experiment,
            slate=slate,
            detail=detail,
        )


def _slate(shown: Default) -> tuple[Shown, ...]:
    arms = (shown,) if isinstance(shown, str) else shown
    return tuple(Shown(arm, slot, 1.0) for slot, arm in enumerate(arms))
