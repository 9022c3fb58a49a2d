"""Spark's transformWithStateInPandas over buckets of numbered slices."""

import pickle
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

Row = tuple[int, str, bytes, bytes]
ROW = "partition INT, kind STRING, key BINARY, payload BINARY"
ROW_COLUMNS = ["partition", "kind", "key", "payload"]
_ROWS = 1_000


class Kept(NamedTuple):
    """What Spark keeps for the bucket that is being turned."""

    value: Any
    map: Any

    def header(self) -> bytes:
        """As it was kept; empty at first."""
        found = self.value.get()
        return bytes(found[0]) if found else b""

    def keep(self, header: bytes) -> None:
        """Keep the header."""
        self.value.update((header,))

    def load(self, number: int) -> bytes:
        """A slice that was saved; empty when it is gone."""
        found = self.map.getValue((number,))
        return bytes(found[0]) if found else b""

    def save(self, number: int, blob: bytes) -> None:
        """Save a slice."""
        self.map.updateValue((number,), (blob,))

    def drop(self, number: int) -> None:
        """Forget a slice."""
        self.map.removeKey((number,))


class Buckets:
    """What PySpark calls a StatefulProcessor: each key is a bucket, each row a share of a batch.

    In every batch Spark starts a process that only asks what is kept. So this module imports next
    to nothing, and what a turn needs is imported where one is made: two seconds less a batch.
    """

    def __init__(self, turn: Callable[[Kept, Iterable[bytes]], Iterable[Row]]) -> None:
        self._pickled = pickle.dumps(turn)
        self._kept: Kept | None = None

    @cached_property
    def _turn(self) -> Callable[[Kept, Iterable[bytes]], Iterable[Row]]:
        turn: Callable[[Kept, Iterable[bytes]], Iterable[Row]]
        turn = pickle.loads(self._pickled)  # noqa: S301 - pickled by ourselves, a moment ago
        return turn

    def init(self, handle: Any) -> None:
        """Name what is kept."""
        self._kept = Kept(
            handle.getValueState("header", "blob BINARY"),
            handle.getMapState("slices", "number LONG", "blob BINARY"),
        )

    def handleInputRows(  # noqa: N802 - PySpark's name
        self, _key: Any, frames: Iterable["pd.DataFrame"], _timer_values: Any
    ) -> Iterator["pd.DataFrame"]:
        """One turn of one bucket."""
        assert self._kept is not None
        shares = [bytes(payload) for frame in frames for payload in frame["payload"]]
        yield from frames_of(self._turn(self._kept, shares), ROW_COLUMNS)

    def close(self) -> None:
        """Nothing is left to do."""
        self._kept = None


def frames_of(rows: Iterable[tuple[Any, ...]], columns: list[str]) -> Iterator["pd.DataFrame"]:
    """Rows as frames of a bounded number of rows."""
    import pandas as pd  # noqa: PLC0415 - see Buckets

    held: list[tuple[Any, ...]] = []
    for row in rows:
        held.append(row)
        if len(held) >= _ROWS:
            yield pd.DataFrame(held, columns=columns)
            held = []
    if held:
        yield pd.DataFrame(held, columns=columns)


def rows_of(frames: Iterable["pd.DataFrame"]) -> Iterator[Row]:
    """The inverse."""
    for frame in frames:
        columns = [frame[name].tolist() for name in ROW_COLUMNS]
        for partition, kind, key, payload in zip(*columns, strict=True):
            yield partition, kind, bytes(key), bytes(payload)
