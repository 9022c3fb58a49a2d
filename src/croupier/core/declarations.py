"""Everything that was ever declared: versions, and append-only arm numbers."""

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

import msgspec

from croupier.core import arm_changes
from croupier.core.absences import Absences, Away
from croupier.core.experiment import REWARD_FIELDS, SLATE_FIELDS, STORY_FIELDS, Experiment
from croupier.core.records import Arm, ArmSet, Declaration, Refill


class Declarations:
    """The history on the `arms` topic, read in order; folds look versions up in it.

    >>> from croupier.core.reward import Reward, Term
    >>> book = Declarations()
    >>> first = Experiment("b", ("x", "y"), "x", Reward({"click": Term(1.0)}))
    >>> for record in book.changes(first, at=1):
    ...     book.apply(record)
    >>> book.latest("b").version, book.arms("b").arms[1].number, list(book.changes(first, at=2))
    (1, 1, [])
    """

    def __init__(self) -> None:
        self._versions: dict[str, dict[int, Declaration]] = {}
        self._began: dict[str, dict[int, int]] = {}
        self._arms: dict[str, ArmSet] = {}
        self._hands: dict[str, dict[int, str]] = {}
        self._absences: dict[str, Absences] = {}
        self.refills: dict[tuple[str, int], int] = {}

    def apply(self, record: Declaration | ArmSet | Refill) -> None:
        """Take one record of the history.

        Of two arm sets of one version, made by two servers at once, the first holds.
        """
        if isinstance(record, ArmSet):
            last = self._arms.get(record.experiment)
            if last is None or record.version > last.version:
                self._remember_hands(record)
                self._absences.setdefault(record.experiment, Absences()).take(record)
                self._arms[record.experiment] = record
        elif isinstance(record, Refill):
            self.refills[record.experiment, record.reward_version] = record.watermark
        else:
            self._versions.setdefault(record.spec.name, {})[record.version] = record
            self._began.setdefault(record.spec.name, {}).setdefault(record.version, record.at)

    def born(self, experiment: str) -> Mapping[int, int]:
        """Since when each arm number is given, milliseconds; 0 for those of the first set."""
        known = self._absences.get(experiment)
        return known.born if known else {}

    def absences(self, experiment: str) -> list[Away]:
        """Every time that one of its arms was not active."""
        return self._absences[experiment].spells()

    def names(self) -> list[str]:
        """Every experiment that was ever declared, in order of its first declaration."""
        return list(self._versions)

    def find(self, experiment: str, version: int) -> Declaration | None:
        """One version of an experiment, or None."""
        return self._versions.get(experiment, {}).get(version)

    def need(self, experiment: str, version: int) -> Declaration:
        """One version that a record names; LookupError when it was never declared."""
        declaration = self.find(experiment, version)
        if declaration is None:
            raise LookupError(f"{experiment} has no declaration {version}: the log is not whole")
        return declaration

    def under(self, experiment: str, version: int) -> Declaration:
        """What is decided under from a snapshot of this version: the newest declaration.

        But where slots, ranking, groups or diversity have changed since, the version itself, until
        a snapshot of the new kind is there: a slate's shares mean what its own declaration says.
        """
        newest, own = self.latest(experiment), self.find(experiment, version)
        return newest if own is None or not own.spec.differs(newest.spec, SLATE_FIELDS) else own

    def latest(self, experiment: str) -> Declaration:
        """The newest version; KeyError when it was never declared."""
        versions = self._versions[experiment]
        return versions[max(versions)]

    def in_force(self, experiment: str, at: int) -> Declaration | None:
        """The newest version that began before `at`, milliseconds; None when none had."""
        began = self._began.get(experiment, {})
        versions = [version for version, begin in began.items() if begin < at]
        return self.find(experiment, max(versions)) if versions else None

    def arms(self, experiment: str) -> ArmSet:
        """The newest arm set; KeyError when it was never declared."""
        return self._arms[experiment]

    def hands(self, experiment: str) -> Mapping[int, str]:
        """Who changed the status of each arm last, by its number."""
        return self._hands.get(experiment, {})

    def _remember_hands(self, after: ArmSet) -> None:
        before = self._arms.get(after.experiment)
        was = {arm.number: arm.status for arm in before.arms} if before else {}
        hands = self._hands.setdefault(after.experiment, {})
        hands |= {arm.number: after.by for arm in after.arms if was.get(arm.number) != arm.status}

    def longest_story(self) -> int:
        """H over all versions: how far back an open story can reach, milliseconds."""
        return max(
            (one.spec.longest_story for many in self._versions.values() for one in many.values()),
            default=0,
        )

    def versions(self, experiment: str) -> Collection[Declaration]:
        """Every version of an experiment, oldest first; KeyError when it was never declared."""
        return self._versions[experiment].values()

    def changes(
        self, spec: Experiment, at: int, first: Mapping[str, str] = MappingProxyType({})
    ) -> Iterator[Declaration | ArmSet]:
        """The records that make `spec` the current declaration; none when nothing changed.

        `first` are the arms of a new experiment that declares none, but candidates; with groups.
        """
        versions = self._versions.get(spec.name)
        if versions is None:
            yield Declaration(version=1, reward_version=1, at=at, spec=spec)
        else:
            yield from self._next_version(self.latest(spec.name), spec, at)
        yield from self._next_arms(spec, at, first)

    def _next_version(self, last: Declaration, spec: Experiment, at: int) -> Iterator[Declaration]:
        if spec == last.spec:
            return
        story, reward = (
            spec.differs(last.spec, fields) for fields in (STORY_FIELDS, REWARD_FIELDS)
        )
        yield Declaration(
            version=last.version + story,
            reward_version=last.reward_version + reward,
            at=at,
            spec=spec,
        )

    def _next_arms(self, spec: Experiment, at: int, first: Mapping[str, str]) -> Iterator[ArmSet]:
        """What the file changes: names that it did not have before, and names that it lost.

        Arms that were put, paused or removed otherwise stay as they are, and so do groups; but
        where that would leave none to show, the default is active again.
        """
        last = self._arms.get(spec.name)
        if last is None:
            groups = {**first, **spec.groups}
            arms = tuple(
                Arm(number, name, group=groups.get(name, ""))
                for number, name in enumerate(spec.arms or first)
            )
            yield ArmSet(experiment=spec.name, version=1, at=at, arms=arms, change="declared")
            return
        before = self._declared_arms(spec.name)
        if spec.candidates is None:
            lost = before - set(spec.arms)
            changed = arm_changes.put(last, [name for name in spec.arms if name not in before])
            changed = arm_changes.set_status(changed, "removed", lost)
        else:  # the table says what else is shown
            there = {arm.name for arm in last.arms if arm.status != "removed"}
            changed = arm_changes.put(last, [name for name in spec.defaults if name not in there])
        changed = arm_changes.regroup(changed, self._regrouped(spec, changed))
        if not any(arm.status == "active" for arm in changed.arms):
            changed = arm_changes.set_status(changed, "active", spec.defaults)
        if changed != last:
            yield msgspec.structs.replace(
                changed, version=last.version + 1, at=at, by="config", change="declared"
            )

    def _regrouped(self, spec: Experiment, arms: ArmSet) -> Mapping[str, str]:
        """The groups that the file gives to arms, where it gave them others before."""
        last, known = self._arms[spec.name], {arm.name for arm in arms.arms}
        old = {arm.name for arm in last.arms}
        before = self.latest(spec.name).spec.groups
        return {
            name: spec.groups.get(name, "")
            for name in known & (spec.groups.keys() | before.keys())
            if name not in old or spec.groups.get(name, "") != before.get(name, "")
        }

    def _declared_arms(self, experiment: str) -> set[str]:
        """What the file named before, or what its table of candidates made active."""
        before = self.latest(experiment).spec
        if before.candidates is None:
            return set(before.arms)
        hands = self.hands(experiment)
        return {
            arm.name
            for arm in self.arms(experiment).arms
            if arm.status == "active" and hands.get(arm.number) in ("candidates", "config")
        }
