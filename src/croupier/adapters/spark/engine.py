"""One Spark session, and the two shapes of query that the ring has."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from croupier.adapters.spark.buckets import ROW, ROW_COLUMNS, Buckets, Row, frames_of, rows_of
from croupier.ports import Entry, Positions

_STATE_STORE = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
_ARROW_ROWS = 1_000
"""Rows of an Arrow batch: one row is a message of up to half a megabyte, usually."""
_SHARE, _SHARE_COLUMNS = "bucket INT, payload BINARY", ["bucket", "payload"]
_OURS = {
    "spark.sql.streaming.stateStore.providerClass": _STATE_STORE,
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
    "spark.sql.streaming.noDataMicroBatches.enabled": "false",
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(_ARROW_ROWS),
    "spark.sql.execution.arrow.transformWithStateInPandas.maxRecordsPerBatch": str(_ARROW_ROWS),
    "spark.sql.session.timeZone": "UTC",
}


class QueryError(Exception):
    """A query has ended by itself: its checkpoint, or something that it needs, is not usable."""


class Source(NamedTuple):
    """Which topic is read, from where when there is no checkpoint, and at most how much a batch.

    `options` are the Java client's.
    """

    servers: str
    topic: str
    starts: Positions
    most: int
    options: Mapping[str, str] = {}


class Sink(NamedTuple):
    """Where a query's progress is kept, and when it turns: "10 seconds", or None: until drained."""

    checkpoint: str
    every: str | None


class Engine:
    """Spark as we use it; what is handed to it runs in its Python workers."""

    def __init__(self, master: str | None, settings: Mapping[str, str]) -> None:
        from pyspark.sql import SparkSession  # noqa: PLC0415 - an extra of half a gigabyte

        # The workers must be of the interpreter that we are, wherever nothing else is said.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = SparkSession.builder.appName("croupier")
        if master is not None:
            builder = builder.master(master)
        for key, value in {**_OURS, **settings}.items():
            builder = builder.config(key, value)
        self.session = builder.getOrCreate()

    def fold(
        self,
        source: Source,
        sort: Callable[[Iterable[Entry]], Iterable[tuple[int, bytes]]],
        turn: Callable[[Any, Iterable[bytes]], Iterable[Row]],
        send: Callable[[Iterable[Row]], Iterable[Row]],
        take: Callable[[list[Row]], None],
        sink: Sink,
    ) -> Any:
        """Entries → sorted into buckets → turned there → sent on → what is left, taken here."""

        def sorted_(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            yield from frames_of(sort(_entries(frames)), _SHARE_COLUMNS)

        def sent(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            yield from frames_of(send(rows_of(frames)), ROW_COLUMNS)

        def batch(frame: Any, _: int) -> None:
            rows = frame.mapInPandas(sent, ROW).collect()
            take([(one[0], one[1], bytes(one[2]), bytes(one[3])) for one in rows])

        rows = (
            self._read(source)
            .mapInPandas(sorted_, _SHARE)
            .groupBy("bucket")
            .transformWithStateInPandas(Buckets(turn), ROW, "Update", "None")
        )
        return self._start(rows.writeStream.outputMode("update").foreachBatch(batch), sink)

    def gather(
        self,
        source: Source,
        make: Callable[[], Callable[[Iterable[Entry]], Iterable[bytes]]],
        take: Callable[[list[bytes]], None],
        sink: Sink,
    ) -> Any:
        """Entries → what a function, made anew for each batch, says of each task's → taken here."""

        def batch(frame: Any, _: int) -> None:
            tell = make()

            def told(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
                yield from frames_of(((one,) for one in tell(_entries(frames))), ["payload"])

            take([bytes(one[0]) for one in frame.mapInPandas(told, "payload BINARY").collect()])

        return self._start(self._read(source).writeStream.foreachBatch(batch), sink)

    def _read(self, source: Source) -> Any:
        reader = (
            self.session.readStream.format("kafka")
            .option("kafka.bootstrap.servers", source.servers)
            .option("subscribe", source.topic)
            .option("startingOffsets", json.dumps({source.topic: source.starts}))
            .option("maxOffsetsPerTrigger", str(source.most))
            .options(**source.options)
        )
        return reader.load().selectExpr(
            "partition", "offset", "unix_millis(timestamp) AS stamp", "value"
        )

    def _start(self, writer: Any, sink: Sink) -> Any:
        every = {"availableNow": True} if sink.every is None else {"processingTime": sink.every}
        try:
            return writer.option("checkpointLocation", sink.checkpoint).trigger(**every).start()
        except Exception as error:
            raise QueryError(f"{type(error).__name__}: {error}") from error


def _entries(frames: Iterable[pd.DataFrame]) -> Iterator[Entry]:
    for frame in frames:
        columns = [frame[name].tolist() for name in ("partition", "offset", "stamp", "value")]
        for partition, offset, stamp, value in zip(*columns, strict=True):
            yield Entry(partition, offset, stamp, bytes(value))
