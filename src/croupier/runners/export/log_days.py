"""The UTC days of a topic, each a stretch of the log."""

from collections.abc import Iterator
from typing import NamedTuple

from croupier.core.duration import DAY
from croupier.ports import EventLog, Positions
from croupier.runners.export.days import Span, day_of


class LogDay(NamedTuple):
    """A day that has entries, and the positions between which they are."""

    day: int
    start: Positions
    end: Positions


def days_of(log: EventLog, topic: str, span: Span) -> Iterator[LogDay]:
    """The days of a span that have entries, one after the other."""
    day = first_day(log, topic, span.since * DAY)
    while day is not None and day < span.until:
        yield LogDay(day, log.since(topic, day * DAY), log.since(topic, (day + 1) * DAY))
        day = first_day(log, topic, (day + 1) * DAY)


def first_day(log: EventLog, topic: str, stamp: int) -> int | None:
    """The day of the first entry stamped at or after a time; None when there is none."""
    starts = log.since(topic, stamp)
    found = [log.read(topic, {partition: at}, 1) for partition, at in starts.items()]
    stamps = [entries[0].stamp for entries in found if entries]  # others may write meanwhile
    return min((day_of(each) for each in stamps if each >= stamp), default=None)
