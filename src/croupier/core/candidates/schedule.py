"""When something is due again: every "24h", or daily at "03:00", UTC."""

import re

from croupier.core.duration import DAY, HOUR, MINUTE, parse_duration

_DAILY = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
LEAST = 1_000


def next_due(schedule: str, last: int) -> int:
    """When it is due after a run at `last`, milliseconds; ValueError for what is no schedule.

    >>> next_due("24h", 5), next_due("00:01", 5), next_due("00:01", 60_000)
    (86400005, 60000, 86460000)
    """
    daily = _DAILY.fullmatch(schedule)
    if daily is None:
        return last + _interval(schedule)
    offset = int(daily[1]) * HOUR + int(daily[2]) * MINUTE
    return ((last - offset) // DAY + 1) * DAY + offset


def _interval(schedule: str) -> int:
    try:
        interval = parse_duration(schedule)
    except ValueError:
        interval = 0
    if interval < LEAST:
        raise ValueError(
            f'expected an interval of 1s or more, such as "24h", or a time (UTC) such as "03:00", '
            f"got {schedule!r}"
        )
    return interval
