"""One turn of one bucket: open its slices, feed it, close what is due."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec

from croupier.core import codec
from croupier.core.records import Event, Funnel
from croupier.ports import Entry, Late, Positions
from croupier.runners.distributed.parts import JoinPart, Keyed, ObservePart, Part
from croupier.runners.history import History
from croupier.runners.spark.misfit import MisfitError
from croupier.runners.spark.shares import Share
from croupier.runners.spark.slices import Header, Slices, State

App = Literal["join", "observe"]
PARTS: dict[str, type[JoinPart] | type[ObservePart]] = {"join": JoinPart, "observe": ObservePart}
_NOTHING = codec.join([])


Plain = tuple[int, str, bytes, bytes]
"""A row as Spark hands it on."""


class Row(NamedTuple):
    """What a bucket says: a closed story (`told`), a late record, or how it stands."""

    partition: int
    kind: str
    key: bytes
    payload: bytes


class Stood(msgspec.Struct, array_like=True):
    """How far a bucket has come: read from `first` to `position`, closed up to `watermark`."""

    first: int
    position: int
    watermark: int
    open: dict[str, int]


class Turn:
    """The part of a plain worker, run on one bucket of a partition.

    `closed` are the watermarks committed by partition when the query began: what closed up to there
    was told before, and is forgotten without a word. `starts` is where a bucket without a state has
    to begin; one with a state goes on exactly where that ends, or does not fit.
    """

    def __init__(
        self,
        app: App,
        sources: int,
        closed: dict[int, int],
        starts: Positions,
        history: Callable[[], History],
    ) -> None:
        self._app, self._sources, self._closed, self._starts = app, sources, closed, starts
        self._history = history

    def __call__(self, state: State, encoded: Iterable[bytes]) -> Iterator[Row]:
        """What follows from the shares of a batch; the state is as it should be afterwards."""
        shares = [msgspec.msgpack.decode(one, type=Share) for one in encoded]
        history = self._history()
        told, late, stood = history.knowing(lambda: self._step(state, shares, history))
        partition = shares[0].partition
        for key, record in told:
            yield Row(partition, "told", key, record)
        for one in late:
            yield Row(partition, "late", one.identity, msgspec.msgpack.encode(one))
        yield Row(partition, "stood", b"", msgspec.msgpack.encode(stood))

    def _step(
        self, state: State, shares: list[Share], history: History
    ) -> tuple[Keyed, list[Late], Stood]:
        """Nothing is written before everything is known: a LookupError leaves the state alone."""
        partition = shares[0].partition
        closed = self._closed.get(partition, 0)
        first, position = min(one.first for one in shares), max(one.position for one in shares)
        owner = f"{self._app}.{shares[0].bucket}"
        header = self._header(state, owner, partition, first)
        part: Part = PARTS[self._app](history.declarations, partition, range(self._sources))
        for source, at in header.reached.items():
            part.time.reach(source, at)
        part.stage.settle(max(closed, part.time.value))
        slices = Slices(self._app, state, header, part)
        newest = header.reached.get(partition, 0) if self._app == "join" else 0
        entries = _entries(partition, newest, shares)
        slices.touch(_deadlines(part, entries))
        late = part.feed(entries)
        part.stage.settle(closed)
        watermark = max(part.time.value, closed)
        slices.due(watermark)
        part.stage.settle(closed)
        told = part.close()
        header.reached, header.position = part.time.reached, position
        opened: Counter[str] = slices.put_back()
        state.keep(header.encode(owner))
        return told, late, Stood(first, position, watermark, dict(opened))

    def _header(self, state: State, owner: str, partition: int, first: int) -> Header:
        """Where the bucket stands; MisfitError unless that is where the batch begins."""
        blob, start = state.header(), self._starts.get(partition, 0)
        if not blob and first > start:
            raise MisfitError(f"{owner} has no state at {first}: it must begin at {start}")
        header = Header.decode(owner, blob) if blob else Header(first)
        if header.position != first:
            raise MisfitError(f"{owner} stands at {header.position}, Spark's checkpoint at {first}")
        return header


def _entries(partition: int, newest: int, shares: list[Share]) -> list[Entry]:
    """The shares as entries; the last is empty, and says how far time has come."""
    entries = [
        Entry(partition, 0, max(stamp, newest), payload)
        for share in shares
        for stamp, payload in share.entries
    ]
    reached = max(newest, *(share.reached for share in shares))
    return [*entries, Entry(partition, 0, reached, _NOTHING)]


def _deadlines(part: Part, entries: Iterable[Entry]) -> Iterator[int]:
    fold = part.stage.fold
    for entry in entries:
        for record in codec.decode_many(entry.payload):
            if isinstance(record, Event | Funnel):
                yield fold.deadline(fold.key(record))
