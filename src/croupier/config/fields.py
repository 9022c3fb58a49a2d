"""The fields of one TOML table, each checked by itself."""

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

import msgspec

from croupier.core.duration import DAY, parse_duration

DURATIONS = frozenset(
    (
        "expose_within",
        "window",
        "lateness",
        "session",
        "refresh",
        "period",
        "half_life",
        "sliding_window",
        "max_skew",
        "request_timeout",
        "retention",
        "ids",
    )
)
MOST_DURATION = 3_650 * DAY


def usable_fields(
    table: dict[str, Any],
    kind: type[Any],
    where: str,
    problems: list[str],
    beside: Collection[str] = (),
) -> dict[str, Any]:
    """The fields of `kind` that can be used; every other one is named in `problems`.

    Keys in `beside` are read elsewhere.

    >>> class Small(msgspec.Struct):
    ...     window: int
    ...     share: float = 0.5
    >>> problems = []
    >>> usable_fields({"window": "2s", "share": "x", "windw": 1}, Small, "t", problems)
    {'window': 2000}
    >>> problems
    ['t: share: expected `float`, got `str`', 't: windw: unknown key (did you mean window?)']
    """
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in fields:
            problems.append(f"{where}: {key}: unknown key{meant(key, fields)}")
            continue
        try:
            values[key] = _value(key, value, fields[key].type)
        except (ValueError, msgspec.ValidationError) as error:
            problems.append(f"{where}: {key}: {error}")
    problems += (
        f"{where}: {key}: missing"
        for key, field in fields.items()
        if field.required and key not in table and key not in beside
    )
    return values


def meant(key: str, known: Collection[str]) -> str:
    """A question that may help, or nothing.

    >>> meant("windw", ["window", "session"])
    ' (did you mean window?)'
    """
    close = get_close_matches(key, list(known), 1)
    return f" (did you mean {close[0]}?)" if close else ""


def _value(key: str, value: Any, kind: Any) -> Any:
    if key in DURATIONS:
        return _duration(key, value)
    if get_origin(kind) is Literal and value not in get_args(kind):
        expected = ", ".join(map(str, get_args(kind)))
        raise ValueError(f"expected one of {expected}, got {value!r}")
    if isinstance(value, bool) and kind is not bool:
        raise ValueError(f"expected a number or a text, got {str(value).lower()}")
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$")
        at = f" at {place.rstrip('`')}" if place else ""
        raise ValueError(reason.replace("Expected", "expected") + at) from None


def _duration(key: str, value: Any) -> int | None:
    if value is None:
        return None
    hint = ', or "none"' if key == "session" else ""
    if not isinstance(value, str):
        raise ValueError(f'expected a duration such as "15m"{hint}, got {value!r}')  # noqa: TRY004
    try:
        millis = parse_duration(value)
    except ValueError as error:
        raise ValueError(str(error).replace(", got", f"{hint}, got")) from None
    if millis > MOST_DURATION:
        raise ValueError("expected at most ten years")
    return millis
