"""Open stories → how many trials of which age are open, and what they showed."""

from collections.abc import Iterable, Iterator

from croupier.core.arms.maturing import BUCKETS, OpenRow, part_of
from croupier.core.declarations import Declarations
from croupier.core.experiment import Experiment
from croupier.core.funnel import FunnelKey, Story, first_delay
from croupier.core.records import Record

MOST_ROWS = 4_096
"""Rows that one record holds, so that it passes wherever records do."""

_Place = tuple[int, int, int]


class OpenTrials(Record, frozen=True, gc=False, tag="open_trials"):
    """The trials of one experiment that are open, at a `watermark`, in one partition of its events.

    None of them closes before `until`. A row counts those of one arm, slot and age: how many, and
    first outcomes by delay, both in parts of the `window`. Long ones come in several parts.
    """

    experiment: str
    reward_version: int
    source: int
    watermark: int
    until: int
    window: int
    rows: tuple[OpenRow, ...]
    part: int = 0


def turn_of(watermark: int, window: int) -> int:
    """Which 128th of a window it is: open trials are counted once in each."""
    return watermark // _turn(window)


def count_open(
    stories: Iterable[tuple[FunnelKey, Story]],
    declarations: Declarations,
    experiment: str,
    source: int,
    watermark: int,
) -> Iterator[OpenTrials]:
    """The open trials of one experiment that train under its newest reward.

    A trial is as old as the watermark, less `lateness`: younger outcomes may be under way. Ages and
    delays are whole parts of the window, and an outcome counts when its part is over, so that all
    trials of a row have shown the same part of their delays. Those that close within the next two
    turns are left out: nobody shall count them twice, here and when they are over.
    """
    latest = declarations.latest(experiment)
    window = latest.spec.window
    until = watermark + 2 * _turn(window)
    # Of each version its spec, and the head of the first tracking id that closes after `until`.
    own = {
        each.version: (each.spec, max(until - each.spec.horizon + 1, 0).to_bytes(6, "big"))
        for each in declarations.versions(experiment)
        if each.reward_version == latest.reward_version
    }
    rows: dict[_Place, list[int]] = {}
    for (name, version, tracking_id), story in stories:
        if name == experiment and version in own:
            spec, first = own[version]
            if tracking_id[:6] >= first and story.decision.reason == "policy":
                _add(rows, story, spec, watermark - spec.lateness)
    found = [_row(place, rows[place]) for place in sorted(rows)]
    for part, begin in enumerate(range(0, max(len(found), 1), MOST_ROWS)):
        yield OpenTrials(
            experiment=experiment,
            reward_version=latest.reward_version,
            source=source,
            watermark=watermark,
            until=until,
            window=window,
            rows=tuple(found[begin : begin + MOST_ROWS]),
            part=part,
        )


def held_for(declarations: Declarations) -> int:
    """How long a count stands at most, milliseconds of log time; 0 where nobody counts."""
    specs = (declarations.latest(name).spec for name in declarations.names())
    return max((2 * _turn(spec.window) for spec in specs if spec.timed), default=0)


def _turn(window: int) -> int:
    return max(window // 128, 1)


def _add(rows: dict[_Place, list[int]], story: Story, spec: Experiment, now: int) -> None:
    """Count one story; a row is how many trials, and then outcomes by delay."""
    one, window = story.decision, spec.window
    limit = one.at + spec.expose_within
    for slot, seen in enumerate(story.shown):
        age = (now - seen) * BUCKETS // window
        if age < 1 or not 0 < seen <= limit:
            continue
        place = one.slate[slot], 0 if one.inclusions else slot, min(age, BUCKETS)
        row = rows.setdefault(place, [0] * (1 + BUCKETS))
        row[0] += 1
        delay = first_delay(story, slot, seen, window, spec.reward.terms)
        if delay >= 0 and (part := part_of(delay, window)) < age:
            row[1 + part] += 1


def _row(place: _Place, row: list[int]) -> OpenRow:
    return *place, row[0], {part: came for part, came in enumerate(row[1:]) if came}


class OpenBook:
    """The newest count of each partition, until trials of it may have closed."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], dict[int, OpenTrials]] = {}

    def hold(self, trials: OpenTrials) -> None:
        """Take a count in place of an older one; its parts come one by one, in any order."""
        place = trials.experiment, trials.source
        parts = self._counts.get(place, {})
        at = max((each.watermark for each in parts.values()), default=-1)
        if trials.watermark > at:
            self._counts[place] = {trials.part: trials}
        elif trials.watermark == at:
            parts[trials.part] = trials

    def forget(self, newest: int) -> set[str]:
        """Leave out what may have closed by this log time; the experiments that this changes."""
        gone = [
            place
            for place, parts in self._counts.items()
            if any(each.until <= newest for each in parts.values())
        ]
        for place in gone:
            del self._counts[place]
        return {experiment for experiment, _ in gone}

    def rows(self, experiment: str, reward_version: int, slot: int) -> list[OpenRow]:
        """What is open of one experiment in one slot, over all partitions."""
        return [
            row
            for (name, _), parts in self._counts.items()
            if name == experiment
            for each in parts.values()
            if each.reward_version == reward_version
            for row in each.rows
            if row[1] == slot
        ]
