"""Spark's transformWithStateInPandas over buckets: a header and numbered slices in each."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

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
        """A slice that was saved."""
        return bytes(self.map.getValue((number,))[0])

    def save(self, number: int, blob: bytes) -> None:
        """Save a slice."""
        self.map.updateValue((number,), (blob,))

    def drop(self, number: int) -> None:
        """Forget a slice."""
        self.map.removeKey((number,))


class Buckets:
    """What PySpark calls a StatefulProcessor: each key is a bucket, each row a share of a batch.

    It derives from nothing of PySpark's, which is a duck's business: so it is tested without a JVM.
    """

    def __init__(self, turn: Callable[[Kept, Iterable[bytes]], Iterable[Row]]) -> None:
        self._turn = turn
        self._kept: Kept | None = None

    def init(self, handle: Any) -> None:
        """Name what is kept."""
        self._kept = Kept(
            handle.getValueState("header", "blob BINARY"),
            handle.getMapState("slices", "number LONG", "blob BINARY"),
        )

    def handleInputRows(  # noqa: N802 - PySpark's name
        self, _key: Any, frames: Iterable[pd.DataFrame], _timer_values: Any
    ) -> Iterator[pd.DataFrame]:
        """One turn of one bucket."""
        assert self._kept is not None
        shares = [bytes(payload) for frame in frames for payload in frame["payload"]]
        yield from frames_of(self._turn(self._kept, shares), ROW_COLUMNS)

    def close(self) -> None:
        """Nothing is left to do."""
        self._kept = None


def frames_of(rows: Iterable[tuple[Any, ...]], columns: list[str]) -> Iterator[pd.DataFrame]:
    """Rows as frames of a bounded number of rows."""
    held: list[tuple[Any, ...]] = []
    for row in rows:
        held.append(row)
        if len(held) >= _ROWS:
            yield pd.DataFrame(held, columns=columns)
            held = []
    if held:
        yield pd.DataFrame(held, columns=columns)


def rows_of(frames: Iterable[pd.DataFrame]) -> Iterator[Row]:
    """The inverse."""
    for frame in frames:
        columns = [frame[name].tolist() for name in ROW_COLUMNS]
        for partition, kind, key, payload in zip(*columns, strict=True):
            yield partition, kind, bytes(key), bytes(payload)
