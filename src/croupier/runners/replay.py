"""Replay: the whole log once more, through the same folds; what it adds up to."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from croupier.apps.join import Join
from croupier.apps.observe import Observe
from croupier.config.backends import Backends
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.declarations import Declarations
from croupier.core.learn import Counts, absorb
from croupier.ports import EVENTS, Commit, Standing

_ENTRIES = 256

Totals = dict[StateKey, Sums]
"""Sums over all periods: keys have period 0."""


class Rebuilt(NamedTuple):
    """What the log adds up to; `whole` is False when its beginning has been trimmed away."""

    sums: dict[StateKey, Sums]
    counts: Counts
    entries: int
    whole: bool


class Difference(NamedTuple):
    """One place where the stored sums are not what the log says."""

    key: StateKey
    stored: Sums
    rebuilt: Sums


def rebuild(
    backends: Backends,
    declarations: Declarations,
    standing: Standing,
    progress: Callable[[int], None] = lambda _: None,
) -> Rebuilt:
    """Read the events topic from its start to where learning stands, and add it all up."""
    join, observe = Join(declarations, backends.log.ends(EVENTS)), Observe(declarations)
    sums: dict[StateKey, Sums] = {}
    counts: Counts = {}
    late: dict[bytes, str] = {}
    first = backends.log.read(EVENTS, {}, 1)
    positions, entries = {0: 0}, 0
    while batch := backends.log.read(EVENTS, positions, _ENTRIES):
        wanted = [each for each in batch if each.offset < standing.positions.get(each.partition, 0)]
        late |= {each.identity: each.experiment for each in join.feed(wanted)}
        observe.feed(join.close())
        learned = absorb(observe.close(join.time.value), declarations)
        for key, added in learned.sums.items():
            sums[key] = sums.get(key, Sums()) + added
        for place, count in learned.counts.items():
            counts[place] = counts.get(place, 0) + count
        entries += len(wanted)
        progress(entries)
        if len(wanted) < len(batch):
            break
        positions = {0: batch[-1].offset + 1}
    for experiment in late.values():
        counts[experiment, "late"] = counts.get((experiment, "late"), 0) + 1
    return Rebuilt(sums, counts, entries, whole=not first or first[0].offset <= 1)


def differences(
    stored: Mapping[StateKey, Sums], rebuilt: Mapping[StateKey, Sums]
) -> list[Difference]:
    """Where the two do not agree; periods are summed over, since old ones are rolled up."""
    ours, theirs = _totals(stored), _totals(rebuilt)
    return [
        Difference(key, ours.get(key, Sums()), theirs.get(key, Sums()))
        for key in sorted(ours.keys() | theirs.keys())
        if ours.get(key, Sums()) != theirs.get(key, Sums())
    ]


def correction(standing: Standing, rebuilt: Rebuilt, *, sums_of: int | None = None) -> Commit:
    """The commit that makes the stored sums what was rebuilt.

    With `sums_of`, only the sums of that reward version are made so, and no counts.
    """
    changes: dict[StateKey, Sums] = {}
    for key, stored in standing.sums.items():
        changes[key] = Sums(*(-each for each in stored))
    for key, sums in rebuilt.sums.items():
        changes[key] = changes.get(key, Sums()) + sums
    chosen = {
        key: change
        for key, change in changes.items()
        if any(change) and sums_of in (None, key.reward_version)
    }
    counts = {
        place: rebuilt.counts.get(place, 0) - standing.counts.get(place, 0)
        for place in standing.counts.keys() | rebuilt.counts.keys()
    }
    return Commit(
        positions=standing.positions,
        watermark=standing.watermark,
        sums=chosen,
        counts=counts if sums_of is None else {},
    )


def _totals(sums: Mapping[StateKey, Sums]) -> Totals:
    totals: Totals = {}
    for key, each in sums.items():
        place = key._replace(period=0)
        totals[place] = totals.get(place, Sums()) + each
    return totals
