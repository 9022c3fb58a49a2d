"""Tables in Parquet files: written whole or not at all, read batch by batch."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from croupier.core.columns import Column

_BATCH = 5_000
_BATCH_BYTES = 16 << 20
_COUNTED = pa.struct(
    [pa.field("kind", pa.string()), pa.field("count", pa.int64()), pa.field("value", pa.float64())]
)
_TYPES = {
    "text": pa.string(),
    "texts": pa.list_(pa.string()),
    "whole": pa.int64(),
    "number": pa.float64(),
    "numbers": pa.list_(pa.float64()),
    "time": pa.timestamp("ms", tz="UTC"),
    "flag": pa.bool_(),
    "counts": pa.list_(_COUNTED),
    "bytes": pa.binary(),
}


class ParquetTable:
    """Table as one Parquet file; what a column means stands in its metadata.

    It grows under a name that readers of folders pass over, some thousand rows or 16 MiB of bytes
    in memory, and is moved into place when it is whole and on disk. Its pages have checksums.
    """

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self.rows = 0
        self._path, self._schema = path, _schema(columns)
        self._draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
        self._waiting: list[Sequence[object]] = []
        self._heavy = [place for place, each in enumerate(columns) if each.kind == "bytes"]
        self._bytes = 0
        self._writer: Any = None

    def add(self, row: Sequence[object]) -> None:
        """One row."""
        self._waiting.append(row)
        self.rows += 1
        for place in self._heavy:
            self._bytes += len(cast("bytes", row[place]))
        if len(self._waiting) >= _BATCH or self._bytes >= _BATCH_BYTES:
            self._flush()

    def close(self) -> None:
        """Move the file into place."""
        if self.rows:
            self._flush()
            self._writer.close()
            with self._draft.open("rb") as file:
                os.fsync(file.fileno())
            self._draft.replace(self._path)

    def discard(self) -> None:
        """Delete what was written: the draft is there even where its first bytes found no room."""
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()
        with suppress(OSError):
            self._draft.unlink()

    def _flush(self) -> None:
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(
                self._draft, self._schema, compression="zstd", write_page_checksum=True
            )
        if self._waiting:
            columns = zip(*self._waiting, strict=True)
            arrays = [
                pa.array(column, field.type)
                for column, field in zip(columns, self._schema, strict=True)
            ]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
            self._waiting, self._bytes = [], 0


def read_parquet(path: Path) -> Iterator[list[object]]:
    """The names of the columns, then the rows; ValueError for what is no Parquet file."""
    try:
        with pq.ParquetFile(path) as file:
            yield list(file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=_BATCH):
                yield from map(list, zip(*(each.to_pylist() for each in batch), strict=True))
    except pa.ArrowException as error:
        raise ValueError(str(error)) from error


def _schema(columns: Sequence[Column]) -> Any:
    return pa.schema(
        [
            pa.field(each.name, _TYPES[each.kind], metadata={"meaning": each.meaning})
            for each in columns
        ]
    )
