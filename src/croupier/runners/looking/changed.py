"""What each declaration changed of the one before it, key by key."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from croupier.core import codec
from croupier.core.records import Declaration
from croupier.ports import ARMS, EventLog, entries_between


class Changed:
    """Follows the `arms` topic, and remembers what each declaration on it changed."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._positions: dict[int, int] = {}
        self._last: dict[str, dict[str, Any]] = {}
        self._told: dict[bytes, list[str]] = {}

    def of(self, record: Declaration) -> list[str]:
        """Each changed key with its values before and after; none for an experiment's first."""
        if codec.encode(record) not in self._told:
            self._read()
        return self._told.get(codec.encode(record), [])

    def _read(self) -> None:
        for entries in entries_between(self._log, ARMS, self._positions, self._log.ends(ARMS)):
            for entry in entries:
                self._positions[entry.partition] = entry.offset + 1
                if codec.may_hold(entry.payload, Declaration):
                    for record in codec.decode_many(entry.payload):
                        if isinstance(record, Declaration):
                            self._take(record)

    def _take(self, record: Declaration) -> None:
        now = dict(leaves(msgspec.to_builtins(record.spec)))
        before = self._last.get(record.spec.name, now)
        keys = [*before, *(key for key in now if key not in before)]
        told = [
            f"{key}: {_said(before, key)} → {_said(now, key)}"
            for key in keys
            if before.get(key) != now.get(key)
        ]
        self._told.setdefault(codec.encode(record), told)
        self._last[record.spec.name] = now


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """All that is no table, by its path.

    >>> list(leaves({"prior": {"mean": 0.1, "trials": 5}, "arms": ["x"]}))
    [('prior.mean', 0.1), ('prior.trials', 5), ('arms', ['x'])]
    """
    if not isinstance(value, dict):
        yield key, value
        return
    for name, each in value.items():
        yield from leaves(each, f"{key}.{name}" if key else name)


def _said(told: dict[str, Any], key: str) -> str:
    return json.dumps(told[key], ensure_ascii=False) if key in told else "none"
