"""Times as companies write them → milliseconds since 1970."""

import re
from typing import Any, Literal, get_args

import numpy as np

Unit = Literal["s", "ms", "us", "ns"]
UNITS = dict(zip(get_args(Unit), (1_000.0, 1.0, 1e-3, 1e-6), strict=True))
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?)?"
    r"(?:Z|([+-])(\d\d):?(\d\d))?",
    re.ASCII | re.IGNORECASE,
)
_NUMBER = re.compile(r"-?\d{1,19}(\.\d{1,9})?", re.ASCII)
_MOST = 2**47
_EXPECTED = "expected a number, or a text such as 2026-11-22T10:00:00Z"


def millis(value: Any, unit: Unit = "ms") -> int:
    """A number in its unit, or ISO 8601, UTC where no zone is said; ValueError for all else.

    >>> millis(1_763_750_000.123, "s"), millis("2025-11-21T19:33:20.123+01:00")
    (1763750000123, 1763750000123)
    """
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            return _of_text(value)
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(_EXPECTED)  # noqa: TRY004 - one kind of error for what somebody sent
    if not abs(value) < _MOST / UNITS[unit]:
        raise ValueError(f"a number beyond all times in {unit}")
    scaled: float = value * UNITS[unit]
    return round(scaled)


def _of_text(text: str) -> int:
    found = _ISO.fullmatch(text)
    if found is None:
        raise ValueError(f"{_EXPECTED}, got {text[:40]!r}")
    day, clock, fraction, sign, hours, minutes = found.groups()
    try:
        at = np.datetime64(f"{day}T{clock or '00:00'}", "ms")
    except ValueError:
        raise ValueError(f"no such time: {text[:40]!r}") from None
    east = (int(hours or 0) * 60 + int(minutes or 0)) * (-60_000 if sign == "-" else 60_000)
    since = int(at.astype(np.int64))
    return since + int((fraction or "0")[:3].ljust(3, "0")) - east
