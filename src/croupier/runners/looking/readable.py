"""Records as a person reads them: names, hexadecimal digits, ISO times."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from croupier.core.declarations import Declarations
from croupier.core.records import Record
from croupier.runners.looking.look import experiment_of


def fields_of(record: Record, declarations: Declarations) -> dict[str, Any]:
    """A record as a script reads it: names for arm numbers, hex for bytes, ISO for times."""
    fields = msgspec.to_builtins(record, builtin_types=(bytes,), str_keys=True)
    fields |= fields.pop("extra", None) or {}
    names = _names(declarations, experiment_of(record))
    return {"type": record.__struct_config__.tag} | _readable(fields, names)


def _names(declarations: Declarations, experiment: str) -> list[str]:
    known = experiment in declarations.names()
    return [arm.name for arm in declarations.arms(experiment).arms] if known else []


def _readable(fields: dict[str, Any], names: list[str]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for key, value in fields.items():
        if isinstance(value, bytes):
            told[key] = value.hex()
        elif key == "decision":
            told[key] = _readable(value, names)
        elif key in ("at", "watermark") or (key == "pinned_until" and value):
            told[key] = iso(value)
        elif key == "shown":
            told[key] = [iso(at) if at else None for at in value]
        elif key == "slate" or (key in ("arm", "pinned") and isinstance(value, int)):
            told[key] = _named(value, names)
        else:
            told[key] = value
    return told


def _named(value: Any, names: list[str]) -> Any:
    if isinstance(value, int):
        return names[value] if value < len(names) else value
    return [_named(each, names) for each in value]


def iso(millis: int) -> str:
    """A time as ISO 8601, UTC.

    >>> iso(1_763_750_000_123)
    '2025-11-21T18:33:20.123Z'
    """
    moment = datetime.fromtimestamp(millis / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
