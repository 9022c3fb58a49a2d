"""learn: observations → sums → snapshots; it alone must not count twice."""

import logging
from collections.abc import Iterable, Mapping

import msgspec

from croupier.core.arm_changes import pin_over
from croupier.core.arms.groups import split_stratum
from croupier.core.arms.maturing import DELAY
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.arms.table import ArmTable
from croupier.core.barred import Barred, freed, without
from croupier.core.declarations import Declarations
from croupier.core.estimate.barring import bar
from croupier.core.estimate.offers import Offers
from croupier.core.learn import Learned, absorb
from croupier.core.open_trials import OpenBook, OpenTrials
from croupier.core.publish import publish
from croupier.core.records import Imported, Observation
from croupier.core.signals import signal_of
from croupier.core.snapshot import Snapshot
from croupier.ports import Published, SnapshotCache, Tally

_LOG = logging.getLogger(__name__)

MOST_FREED = 1_024
"""So many bars that are over are remembered, of each experiment: the newest."""


class Learn:
    """Holds the sums that are committed, and publishes what the policies make of them."""

    def __init__(self, declarations: Declarations, cache: SnapshotCache) -> None:
        self._declarations, self._cache = declarations, cache
        self._tables: dict[tuple[str, int, str], dict[int, ArmTable]] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._tallies: dict[str, Tally] = {}
        self._published: dict[str, int] = {}
        self._changed: set[str] = set()
        self._touched: set[str] = set()
        self._open = OpenBook()

    def absorb(self, records: Iterable[Observation | Imported]) -> Learned:
        """What records add; nothing changes until `take` is told that it is committed."""
        return absorb(records, self._declarations)

    def take(self, sums: Mapping[StateKey, Sums]) -> None:
        """Sums that have been committed; only the `policy` stratum trains.

        What guardrails measure of it is kept beside, under its own name; so are signals, and groups
        of units.
        """
        for key, added in sums.items():
            group, where = split_stratum(key.stratum)
            stratum, _, column = where.partition(":")
            if stratum == "policy" and group is not None:
                self._table(key, column).groups.add(group, key.arm, added)
            elif stratum == "policy":
                self._table(key, column).add(key.period, key.arm, added)
                self._changed.add(key.experiment)
            elif key.stratum.startswith(DELAY):
                self._table(key).maturing.add(key.period, key.arm, key.stratum, added.n)

    def hold(self, counts: Iterable[OpenTrials], newest: int) -> None:
        """Trials that are open, and train as such until log time says that they may have closed.

        They are in no sums; from `newest` on they may be.
        """
        for trials in counts:
            self._open.hold(trials)
            self._changed.add(trials.experiment)
        self._changed |= self._open.forget(newest)

    def touch(self, experiment: str) -> None:
        """Publish at the next turn: its arms have changed."""
        self._changed.add(experiment)
        self._touched.add(experiment)

    def refresh(self, experiments: Iterable[str], now: int, watermark: int) -> list[Snapshot]:
        """Publish for each experiment whose refresh is due; the snapshots that are new."""
        fresh = []
        for name in experiments:
            due = self._published.get(name, 0) + self._declarations.latest(name).spec.refresh
            if now >= due or name in self._touched:
                snapshot = self._publish(name, now, watermark)
                if snapshot is not None:
                    fresh.append(snapshot)
        return fresh

    @property
    def published(self) -> list[Published]:
        """The newest snapshot of each experiment, with what was counted then."""
        return [
            Published(snapshot, self._tallies[name]) for name, snapshot in self._snapshots.items()
        ]

    def _publish(self, name: str, now: int, watermark: int) -> Snapshot | None:
        last = self._snapshots.get(name) or self._cache.latest(name)
        policy = self._declarations.latest(name).spec.policy
        ageing = policy.half_life is not None or policy.sliding_window is not None
        changed = name in self._changed or self._freed(name, last, now)
        if name in self._published and not changed and not ageing:
            return None
        # Before the arms are read: what changes them meanwhile, in another thread, comes after.
        self._changed.discard(name)
        self._touched.discard(name)
        try:
            before = last.barred if last else ()
            made = self._make(name, last, now, watermark)
            fresh = None if last is not None and _same(last, made) else made
            tally = self._tally(made)
            if fresh is not None and not self._cache.put(fresh, tally):
                self._snapshots.pop(name, None)  # somebody's later version is there: ours follows
                self.touch(name)
                return None
        except BaseException:
            self.touch(name)
            raise
        for each in () if fresh is None else fresh.barred:
            if each not in before:
                _LOG.warning("%s: %s is shown no more: %s", name, each.name, each.reason)
        self._snapshots[name], self._tallies[name] = fresh or last or made, tally
        self._published[name] = now
        return fresh

    def _freed(self, name: str, last: Snapshot | None, now: int) -> bool:
        """Whether a barred arm is still published, though the pin that kept it there is over."""
        arms = self._declarations.arms(name)
        shown = last is not None and any(
            each.arm == arms.pinned and each.arm in last.arms for each in last.barred
        )
        return shown and pin_over(arms, now)

    def _tally(self, snapshot: Snapshot) -> Tally:
        """What was counted of its arms, all trials alike, in whatever slot, however old."""
        place = snapshot.experiment, snapshot.reward_version, ""
        tables = self._tables.get(place, {}).values()
        totals = [sum((one.total(arm) for one in tables), Sums()) for arm in snapshot.arms]
        surface = self._declarations.latest(snapshot.experiment).spec.surface
        return Tally(surface, [sums.n for sums in totals], [sums.r for sums in totals])

    def _make(self, name: str, last: Snapshot | None, now: int, watermark: int) -> Snapshot:
        declaration, arms = self._declarations.latest(name), self._declarations.arms(name)
        spec, reward_version = declaration.spec, declaration.reward_version
        tables = self._tables.get((name, reward_version, ""), {})
        if spec.timed:
            for slot, table in tables.items():
                table.maturing.open = self._open.rows(name, reward_version, slot)
                table.maturing.window = spec.window
        measured = {each: self._tables.get((name, reward_version, each), {})
                    for each in spec.measured}  # fmt: skip
        before = last.barred if last else ()
        barred: tuple[Barred, ...] = ()
        if measured:
            offers = Offers(self._declarations.absences(name), spec.period, watermark)
            barred = bar(spec, arms, measured, now, before, offers)
        over = freed(before, barred, now)
        if last and last.reward_version == reward_version:
            over = [*last.freed, *over]
        version = last.version + 1 if last else 1
        made = publish(declaration, without(arms, barred, now), tables, version, now, watermark)
        return msgspec.structs.replace(made, barred=barred, freed=tuple(over[-MOST_FREED:]))

    def _table(self, key: StateKey, column: str = "") -> ArmTable:
        kind = signal_of(column)
        if kind:
            return self._table(key).signals.setdefault(kind, ArmTable())
        by_slot = self._tables.setdefault((key.experiment, key.reward_version, column), {})
        return by_slot.setdefault(key.slot, ArmTable())


def _same(last: Snapshot, made: Snapshot) -> bool:
    return _content(last) == _content(made)


def _content(snapshot: Snapshot) -> Snapshot:
    """The snapshot but for when it was made."""
    return msgspec.structs.replace(snapshot, version=0, at=0, watermark=0)
