"""Replay: the whole log once more, through the same folds; what it adds up to."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from croupier.apps.join import Join
from croupier.apps.observe import Observe
from croupier.config.backends import Backends
from croupier.core import codec
from croupier.core.arms.sums import StateKey, Sums
from croupier.core.declarations import Declarations
from croupier.core.learn import Counts, Learned, absorb
from croupier.core.records import Event, Imported, Observation, Refill
from croupier.core.revalue import valued_by
from croupier.ports import (
    ARMS,
    EVENTS,
    OBSERVATIONS,
    Commit,
    Entry,
    Late,
    Standing,
    entries_between,
    is_trimmed,
)
from croupier.runners.imports import imported_in


class Rebuilt(NamedTuple):
    """What the log adds up to; `whole` is False when its beginning has been trimmed away."""

    sums: dict[StateKey, Sums]
    counts: Counts
    whole: bool


class Difference(NamedTuple):
    """One place where the stored sums are not what the log says; periods are summed over."""

    key: StateKey
    stored: Sums
    rebuilt: Sums


class Replay:
    """Reads the events topic from its start to where learning stands, as often as is needed."""

    def __init__(
        self,
        backends: Backends,
        declarations: Declarations,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._backends, self._declarations, self._progress = backends, declarations, progress
        self.standing: Standing = backends.states.load()
        self.entries = 0

    def rebuild(self) -> Rebuilt:
        """What every record adds up to, refills and imports included."""
        late: dict[bytes, str] = {}
        total = Learned()
        for _, observations, set_aside in self._turn(self._declarations, []):
            total += absorb(observations, self._declarations)
            late |= {each.identity: each.experiment for each in set_aside}
        for experiment in late.values():
            total.counts[experiment, "late"] += 1
        total += absorb(self._imported(), self._declarations)
        for (experiment, reward_version), mark in self._declarations.refills.items():
            total.sums = _plus(total.sums, self.past(experiment, reward_version, -1, mark))
        return Rebuilt(total.sums, total.counts, whole=self.whole())

    def whole(self) -> bool:
        """Whether the log still begins where it began: nothing has been trimmed away."""
        return not any(is_trimmed(self._backends.log, topic) for topic in (EVENTS, OBSERVATIONS))

    def _imported(self) -> Iterator[Imported]:
        """Each imported row that learning has added, once; all that came before its watermark."""
        log, watermark = self._backends.log, self.standing.watermark
        seen: set[bytes] = set()
        for entries in entries_between(log, OBSERVATIONS, {}, log.ends(OBSERVATIONS)):
            rows = list(imported_in(entries))
            known = self._backends.states.known({r.id for at, r in rows if at >= watermark})
            for stamp, row in rows:
                if row.id not in seen and (stamp < watermark or row.id in known):
                    seen.add(row.id)
                    yield row

    def past(
        self, experiment: str, reward_version: int, after: int, until: int
    ) -> dict[StateKey, Sums]:
        """Older trials valued by a newer reward: those that closed in (after, until]."""
        book = valued_by(self._declarations, experiment, reward_version)
        total = Learned()
        for watermark, observations, _ in self._turn(book, [after, until]):
            if after < watermark <= until:
                total += absorb(observations, self._declarations)
        return total.sums

    def fill(self) -> Commit:
        """The commit that values the past of each experiment by its newest reward."""
        now, sums, records = self.standing.watermark, dict[StateKey, Sums](), []
        at = self._backends.clock.now()
        for name in self._declarations.names():
            reward_version = self._declarations.latest(name).reward_version
            before = self._declarations.refills.get((name, reward_version), -1)
            if before < now and valued_by(self._declarations, name, reward_version).names():
                sums = _plus(sums, self.past(name, reward_version, before, now))
                made = Refill(experiment=name, reward_version=reward_version, watermark=now, at=at)
                records.append(made)
        output = {ARMS: [codec.encode(record) for record in records]} if records else {}
        return self._commit(sums, output=output)

    def correction(self, rebuilt: Rebuilt) -> Commit:
        """The commit that makes the stored sums and counts what was rebuilt."""
        stored = {key: Sums(*(-each for each in sums)) for key, sums in self.standing.sums.items()}
        counts = {
            place: rebuilt.counts.get(place, 0) - self.standing.counts.get(place, 0)
            for place in self.standing.counts.keys() | rebuilt.counts.keys()
        }
        return self._commit(_plus(stored, rebuilt.sums), counts)

    def _commit(
        self,
        sums: dict[StateKey, Sums],
        counts: Counts | None = None,
        output: Mapping[str, list[bytes]] | None = None,
    ) -> Commit:
        return Commit(
            positions=self.standing.positions,
            watermark=self.standing.watermark,
            since=self.standing.positions,
            sums={key: change for key, change in sums.items() if any(change)},
            counts=counts or {},
            output=output or {},
        )

    def _turn(
        self, book: Declarations, marks: list[int]
    ) -> Iterator[tuple[int, list[Observation], list[Late]]]:
        """Join and observe the log under these declarations; stops at each mark on the way."""
        join, observe = Join(book, self._backends.log.ends(EVENTS)), Observe(book)
        for entries in self._log():
            late = join.feed(entries if book is self._declarations else _known(entries, book))
            time = join.time.value
            for watermark in sorted({mark for mark in marks if 0 < mark < time} | {time}):
                observe.feed(join.stage.advance(watermark))
                yield watermark, observe.close(watermark), late
                late = []

    def _log(self) -> Iterator[list[Entry]]:
        self.entries = 0
        for entries in entries_between(self._backends.log, EVENTS, {}, self.standing.positions):
            self.entries += len(entries)
            self._progress(self.entries)
            yield entries


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


def _known(entries: list[Entry], book: Declarations) -> list[Entry]:
    """The same entries with only the events of declarations in the book: time passes as before."""

    def told(record: object) -> bool:
        if not isinstance(record, Event):
            return True
        return book.find(record.decision.experiment, record.decision.declaration) is not None

    return [
        entry._replace(
            payload=codec.join(
                [codec.encode(each) for each in codec.decode_many(entry.payload) if told(each)]
            )
        )
        for entry in entries
    ]


def _plus(one: Mapping[StateKey, Sums], other: Mapping[StateKey, Sums]) -> dict[StateKey, Sums]:
    total = dict(one)
    for key, sums in other.items():
        total[key] = total.get(key, Sums()) + sums
    return total


def _totals(sums: Mapping[StateKey, Sums]) -> dict[StateKey, Sums]:
    totals: dict[StateKey, Sums] = {}
    for key, each in sums.items():
        place = key._replace(period=0)
        totals[place] = totals.get(place, Sums()) + each
    return totals
