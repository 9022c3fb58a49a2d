"""Arm states and what belongs to them: sums, positions, ids, late records."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from croupier.core.arms.sums import StateKey, Sums
from croupier.core.learn import Counts
from croupier.ports.errors import StaleError
from croupier.ports.log import Positions


class Late(NamedTuple):
    """A record that came after its story: set aside, once however often it is sent."""

    identity: bytes
    experiment: str
    stamp: int
    payload: bytes


class Commit(msgspec.Struct, frozen=True):
    """What one step of the ring changes: all of it, or nothing.

    `since` are the positions that the step started from: a store that stands elsewhere has
    another writer, and refuses (StaleError), unless it stands at `positions`, for then this very
    commit is in it; partitions that it does not name are others' business. `sums` and `counts`
    are added; `open` (stories open by experiment) replaces; `late` is set aside. `ids` (of what
    the sums add, with its data time in milliseconds) are new: StaleError when the store has one.
    `output` is appended to topics by a store that shares its transactions with a log; any other
    refuses it (ValueError).
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
    >>> already_in(Commit({0: 5}, 9, since={0: 3}), {0: 5, 1: 8})
    True
    """
    ours = {*commit.positions, *(commit.since or ())}
    stands = {partition: at for partition, at in stored.items() if partition in ours}
    if commit.since is None or stands == commit.since:
        return False
    if stands == commit.positions:
        return True
    raise StaleError(f"another process learns from this data: it stands at {stands}")


class Standing(msgspec.Struct):
    """Where learning stands: what all commits so far add up to.

    Counts hold "late" too: how many records were set aside.
    """

    positions: Positions
    watermark: int
    sums: dict[StateKey, Sums]
    counts: Counts
    open: dict[str, int]

    def behind(self, ends: Positions) -> int:
        """How many entries, or offsets, it has not read of what ends there.

        >>> Standing({0: 7}, 0, {}, {}, {}).behind({0: 10, 1: 2})
        5
        """
        return sum(max(0, end - self.positions.get(at, 0)) for at, end in ends.items())


class StateStore(Protocol):
    """Arm states, with the positions in the log that they hold: one transaction."""

    def load(
        self, experiment: str | None = None, *, strata: Collection[str] | None = None
    ) -> Standing:
        """Where learning stands, with sums and counts of one experiment or of all.

        Sums are a row an arm and period, and 64 more where units return: whoever needs those of
        some strata only, or of none, says so.
        """

    def commit(self, commit: Commit) -> None:
        """Add one step durably, or raise and change nothing (UnavailableError, StaleError).

        After UnavailableError it may be in or not: a commit that says `since` may be sent again.
        """

    def known(self, ids: Collection[bytes]) -> set[bytes]:
        """Which of these have been committed already."""

    def trim_late(self, stamp: int) -> int:
        """Forget records set aside before `stamp`; how many. Their count stays."""

    def trim_ids(self, before: int) -> int:
        """Forget ids of data from before this time, or some of them (whole spans); how many."""


class OpenStories(Protocol):
    """A disposable copy of the open stories, beside the process that holds them."""

    def save(self, chunks: Iterable[bytes]) -> None:
        """Keep a copy in place of the one before, or raise and leave that (UnavailableError)."""

    def load(self) -> list[bytes]:
        """The chunks of the copy; empty when there is none or it is damaged."""
