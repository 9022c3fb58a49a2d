"""Stretches of a topic: the row groups of a Parquet file of entries."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from croupier.ports import Entry, UnusableError

_SCHEMA = {
    "topic": pa.string(),
    "partition": pa.int64(),
    "offset": pa.int64(),
    "stamp": pa.timestamp("ms", tz="UTC"),
    "payload": pa.binary(),
}


class Stretch(NamedTuple):
    """The entries of offsets from `first` up to, not including, `end`; all of them.

    They are a row group of the file, and were stamped from `oldest` to `newest`.
    """

    path: Path
    topic: str
    group: int
    first: int
    end: int
    oldest: int
    newest: int

    def read(self) -> list[Entry]:
        """Its entries; UnusableError where their bytes are damaged, or of another topic."""
        with _opened(self.path, f" in offsets {self.first} to {self.end - 1}") as file:
            table = file.read_row_group(self.group)
            if set(table["topic"].to_pylist()) != {self.topic}:
                raise ValueError(f"not all entries are of the topic {self.topic}")
            columns = (_whole(table, name) for name in ("partition", "offset", "stamp"))
            rows = zip(*columns, table["payload"].to_pylist(), strict=True)
            return [Entry(*row) for row in rows]


def stretches_of(path: Path, topic: str) -> list[Stretch]:
    """The stretches of a file, without their payloads; UnusableError for what is no such file."""
    with _opened(path) as file:
        schema = file.schema_arrow
        if {each.name: each.type for each in schema} != _SCHEMA:
            raise ValueError("not the columns that `croupier export --what entries` writes")
        numbers = range(file.metadata.num_row_groups)
        return [_stretch(path, topic, number, file) for number in numbers]


def entries_of(path: Path, topic: str) -> Iterator[Entry]:
    """All entries of a file, a row group in memory."""
    for stretch in stretches_of(path, topic):
        yield from stretch.read()


def _stretch(path: Path, topic: str, number: int, file: Any) -> Stretch:
    table = file.read_row_group(number, columns=["partition", "offset", "stamp"])
    partitions, offsets, stamps = (_whole(table, name) for name in ("partition", "offset", "stamp"))
    if set(partitions) != {0}:
        raise ValueError("expected entries of partition 0, which a data file has")
    for (before, stamp), (offset, later) in pairwise(zip(offsets, stamps, strict=True)):
        if offset != before + 1:
            raise ValueError(f"offset {offset} after {before}: a gap, or not in order")
        if later < stamp:
            raise ValueError(f"offset {offset} has an older stamp than {before}")
    return Stretch(path, topic, number, offsets[0], offsets[-1] + 1, stamps[0], stamps[-1])


def _whole(table: Any, name: str) -> list[int]:
    """Numbers, or times in milliseconds; ValueError where one is missing."""
    if table[name].null_count:
        raise ValueError(f"column {name} has a null")
    numbers: list[int] = table[name].cast(pa.int64()).to_pylist()
    return numbers


@contextmanager
def _opened(path: Path, where: str = "") -> Iterator[Any]:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnusableError(
            f"{path}: no whole file of the log's entries{where}: {error}"
        ) from error
