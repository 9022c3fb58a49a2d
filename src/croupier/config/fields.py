"""The fields of one TOML table, each checked by itself."""

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from croupier.core.duration import DAY, parse_duration

T = TypeVar("T")
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


def named_tables(
    tables: Any, kind: str, file: str, problems: list[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each table of `[[kind]]`: where it stands, and a copy of what it says.

    >>> problems = []
    >>> list(named_tables([{"name": "a"}, {}], "source", "x.toml", problems))
    [('x.toml: source "a"', {'name': 'a'}), ('x.toml: source 2 (no name)', {})]
    """
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        problems.append(f"{file}: {kind}: write [[{kind}]], with two brackets")
        return
    for number, table in enumerate(tables, 1):
        name = f'"{table["name"]}"' if "name" in table else f"{number} (no name)"
        yield f"{file}: {kind} {name}", dict(table)


def one_of(kind: type[T], table: Any, where: str, problems: list[str], example: str) -> T | None:
    """A table that is used whole or not at all: None, and every problem named, where it is not.

    >>> class Small(msgspec.Struct):
    ...     most: int
    >>> problems = []
    >>> one_of(Small, 2, "t", problems, "{ most = 2 }"), problems
    (None, ['t: expected a table such as { most = 2 }'])
    """
    if not isinstance(table, dict):
        problems.append(f"{where}: expected a table such as {example}")
        return None
    before = len(problems)
    values = usable_fields(table, kind, where, problems)
    return kind(**values) if len(problems) == before else None


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
    if get_origin(kind) is dict:
        return _converted(value, dict) and {
            name: _part(name, each, get_args(kind)[1]) for name, each in value.items()
        }
    if isinstance(value, bool) and kind is not bool:
        raise ValueError(f"expected a number or a text, got {str(value).lower()}")
    return _converted(value, kind)


def _part(name: str, value: Any, kind: Any) -> Any:
    """One entry of a table whose keys the owner chose; ValueError names it."""
    try:
        return _converted(value, kind)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _converted(value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$")
        at = f" at {place.rstrip('`')}" if place else ""
        said = reason.replace("Expected", "expected").replace("`object`", "a table")
        raise ValueError(said + at) from None


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
