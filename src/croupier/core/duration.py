"""Durations as people write them ("15m", "1h30m"), in milliseconds."""

import re

UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", re.ASCII)
_WHOLE = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)

SECOND, MINUTE, HOUR, DAY = UNITS["s"], UNITS["m"], UNITS["h"], UNITS["d"]


def parse_duration(text: str) -> int:
    """Milliseconds in a text such as "15m"; ValueError says what was expected.

    >>> parse_duration("1h30m"), parse_duration("250ms"), parse_duration("0.5s")
    (5400000, 250, 500)
    """
    compact = text.replace(" ", "")
    if not _WHOLE.fullmatch(compact):
        raise ValueError(f'expected a duration such as "15m", "90s" or "1h30m", got {text!r}')
    return round(sum(float(amount) * UNITS[unit] for amount, unit in _PART.findall(compact)))


def format_duration(millis: int) -> str:
    """The shortest text that parses back to the same milliseconds.

    >>> format_duration(5_400_000), format_duration(0)
    ('1h30m', '0s')
    """
    parts, rest = [], millis
    for unit in ("w", "d", "h", "m", "s", "ms"):
        amount, rest = divmod(rest, UNITS[unit])
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts) or "0s"
