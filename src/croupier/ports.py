"""What the apps need of the world: event log, state store, snapshot cache."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import NamedTuple, Protocol

import msgspec

from croupier.core.arms.sums import StateKey, Sums
from croupier.core.evaluate.targets import Logged
from croupier.core.learn import Counts
from croupier.core.snapshot import Snapshot

EVENTS, FUNNELS, OBSERVATIONS, ARMS = TOPICS = ("events", "funnels", "observations", "arms")

_ENTRIES = 512

Positions = dict[int, int]
"""The offset to read next, by partition; a partition that is absent is read from its start."""


class UnavailableError(Exception):
    """The technology behind a port cannot answer now; the same call may succeed later."""


class StaleError(Exception):
    """Another writer has moved on: going on would count twice."""


class Entry(NamedTuple):
    """One append: records encoded together, stamped by the log, never backwards."""

    partition: int
    offset: int
    stamp: int
    payload: bytes


class Late(NamedTuple):
    """A record that came after its story: set aside, once however often it is sent."""

    identity: bytes
    experiment: str
    stamp: int
    payload: bytes


class EventLog(Protocol):
    """Append-only topics; what `append` has answered for survives a crash."""

    def append(self, topic: str, records: Sequence[bytes]) -> "Future[int]":
        """Append encoded records as one entry; the future holds its stamp once durable."""

    def read(self, topic: str, positions: Positions, limit: int) -> list[Entry]:
        """At most `limit` entries from these positions on, in order of offset."""

    def ends(self, topic: str) -> Positions:
        """The position behind the last entry of each declared partition."""

    def since(self, topic: str, stamp: int) -> Positions:
        """The position of the first entry stamped at or after `stamp`, by partition."""

    def trim(self, topic: str, stamp: int) -> int:
        """Drop entries stamped before `stamp`; how many."""


def entries_between(
    log: EventLog, topic: str, start: Positions, end: Positions, limit: int = _ENTRIES
) -> Iterator[list[Entry]]:
    """The entries of a topic from `start` up to, not including, `end`, `limit` at a time."""
    positions = dict(start)
    while any(positions.get(partition, 0) < last for partition, last in end.items()):
        entries = log.read(topic, positions, limit)
        wanted = [entry for entry in entries if entry.offset < end.get(entry.partition, 0)]
        if wanted:
            yield wanted
        if not entries:
            return
        positions |= {entry.partition: entry.offset + 1 for entry in entries}


class Commit(msgspec.Struct, frozen=True):
    """What one step of the ring changes: all of it, or nothing.

    `since` are the positions that the step started from: a store that stands elsewhere has
    another writer, and refuses (StaleError), unless it stands at `positions`, for then this very
    commit is in it. `sums` and `counts` are added; `open` (stories open by experiment) replaces;
    `output` is appended to topics; `late` is set aside. `ids` name what is added now, each with the
    time in milliseconds that it is kept by: where one is known already, the store refuses
    (StaleError).
    """

    positions: Positions
    watermark: int
    since: Positions | None = None
    sums: Mapping[StateKey, Sums] = {}
    counts: Counts = {}
    open: Mapping[str, int] = {}
    late: Sequence[Late] = ()
    output: Mapping[str, Sequence[bytes]] = {}
    ids: Mapping[bytes, int] = {}


def already_in(commit: Commit, stored: Positions) -> bool:
    """Whether a commit is in the store already; StaleError when somebody else's is.

    >>> already_in(Commit({0: 5}, 9, since={0: 3}), {0: 3})
    False
    >>> already_in(Commit({0: 5}, 9, since={0: 3}), {0: 5})
    True
    """
    if commit.since is None or stored == commit.since:
        return False
    if stored == commit.positions:
        return True
    raise StaleError(f"another process learns from this data: it stands at {stored}")


class Standing(msgspec.Struct):
    """Where learning stands: what all commits so far add up to.

    Counts hold "late" too: how many records were set aside.
    """

    positions: Positions
    watermark: int
    sums: dict[StateKey, Sums]
    counts: Counts
    open: dict[str, int]


class StateStore(Protocol):
    """Arm states, with the position in the log that they hold: one transaction."""

    def load(self, experiment: str | None = None) -> Standing:
        """Where learning stands, with sums and counts of one experiment or of all."""

    def commit(self, commit: Commit) -> None:
        """Add one step durably, or raise and change nothing (UnavailableError, StaleError)."""

    def known(self, ids: Collection[bytes]) -> set[bytes]:
        """Which of these have been committed already."""

    def trim_late(self, stamp: int) -> int:
        """Forget records set aside before `stamp`; how many. Their count stays."""

    def save_open(self, chunks: Iterable[bytes]) -> None:
        """Keep a disposable copy of the open stories in place of the one before."""

    def load_open(self) -> list[bytes]:
        """The chunks of that copy; empty when there is none or it is damaged."""


class SnapshotCache(Protocol):
    """The published snapshots, and their history."""

    def put(self, snapshot: Snapshot) -> bool:
        """Publish; False, and no effect, when this or a later version is there."""

    def latest(self, experiment: str) -> Snapshot | None:
        """The newest snapshot of an experiment."""

    def history(self, experiment: str, limit: int, before: int | None = None) -> list[Snapshot]:
        """The newest `limit` snapshots, of versions below `before` if given; oldest first."""

    def trim(self, at: int) -> int:
        """Drop snapshots published before `at`, but never the newest of an experiment."""


class WrongRow(NamedTuple):
    """A row that a trial log cannot use: its line, the column, and why."""

    line: int
    column: str
    reason: str


class TrialLog(Protocol):
    """Rounds that somebody logged: who was shown what, with which probability, what it earned."""

    arms: dict[str, int]
    """Names of arms → their numbers; complete after the first reading."""
    positions: dict[str, int]
    wrong: list[WrongRow]
    """Some of the rows left out in the last reading; `wrong_count` counts all."""
    wrong_count: int
    left_out: dict[str, int]
    """Rounds that are in order and not of use here: how many, by why."""

    def parts(self) -> Iterator[Logged]:
        """The rounds in their order, some thousands at a time; may be read again."""
