"""The join as Spark alone can say it, in its two forms: the peers of our join on Spark.

Both know an impression and clicks only, judge lateness by event time, and write a funnel as JSON.
"""

import json
import time
from collections.abc import Callable
from typing import Any

SCHEMA = (
    "array<struct<id string, experiment string, unit string, arm int, propensity double, "
    "kind string, at bigint, event string>>"
)
WINDOW_MS = 1_000
GAP, DELAY = "2 seconds", "1 second"
"""Exposure and window together; how far the watermark stays behind the newest event."""
DECIDED = ["id", "experiment", "unit", "arm", "propensity"]


def by_session_window(rows: Any) -> Any:
    """One stateful operator: the events of a tracking id, aggregated once no more may come."""
    from pyspark.sql import functions as F  # noqa: N812 - as everybody calls it

    outcome = F.when(F.col("kind") != "impression", F.struct("kind", "at", "event"))
    shown = F.min(F.when(F.col("kind") == "impression", F.col("at")))
    of_one = rows.withWatermark("time", DELAY).groupBy(F.session_window("time", GAP), *DECIDED)
    within = f"filter(outcomes, one -> one.at between shown and shown + {WINDOW_MS})"
    return (
        of_one.agg(shown.alias("shown"), F.collect_set(outcome).alias("outcomes"))
        .where("shown is not null")
        .select(*DECIDED, "shown", F.expr(within).alias("outcomes"))
    )


def by_stream_join(rows: Any) -> Any:
    """The textbook: impressions, left outer join clicks, each told once; a funnel has one click."""
    from pyspark.sql import functions as F  # noqa: N812

    def of(kind: str, *columns: Any) -> Any:
        some = rows.where(F.col("kind") == kind).withWatermark("time", DELAY)
        return some.dropDuplicatesWithinWatermark(["id"]).select(*columns)

    shown = of("impression", *DECIDED, F.col("time").alias("shown"))
    clicked = of("click", F.col("id").alias("click_id"), F.col("time").alias("clicked"))
    within = f"clicked between shown and shown + interval {WINDOW_MS} milliseconds"
    return shown.join(clicked, F.expr(f"id = click_id and {within}"), "leftOuter").drop("click_id")


FORMS: dict[str, Callable[[Any], Any]] = {
    "session_window": by_session_window,
    "stream-stream join": by_stream_join,
}


def run(session: Any, form: str, servers: str, topics: tuple[str, str], checkpoint: str) -> None:
    """Read what there is, write what has closed, end."""
    from pyspark.sql import functions as F  # noqa: N812

    before = session.conf.get("spark.sql.streaming.noDataMicroBatches.enabled")
    session.conf.set("spark.sql.streaming.noDataMicroBatches.enabled", "true")
    try:
        read = (
            session.readStream.format("kafka")
            .option("kafka.bootstrap.servers", servers)
            .option("subscribe", topics[0])
            .option("startingOffsets", "earliest")
            .load()
        )
        parsed = F.from_json(F.col("value").cast("string"), SCHEMA)
        rows = read.select(F.explode(parsed).alias("one")).select("one.*")
        joined = FORMS[form](rows.withColumn("time", F.timestamp_millis("at")))
        written = joined.select(F.to_json(F.struct("*")).alias("value")).writeStream
        query = (
            written.format("kafka")
            .option("kafka.bootstrap.servers", servers)
            .option("topic", topics[1])
            .option("checkpointLocation", checkpoint)
            .trigger(availableNow=True)
            .start()
        )
        query.awaitTermination()
    finally:
        session.conf.set("spark.sql.streaming.noDataMicroBatches.enabled", before)


def sentinel() -> bytes:
    """An impression and a click of a day later: time, as Spark understands it, has passed."""
    later = int(time.time() * 1000) + 86_400_000
    one = dict.fromkeys(DECIDED) | {"arm": 0, "propensity": 1.0, "at": later, "event": ""}
    both = [one | {"id": f"~{kind}", "kind": kind} for kind in ("impression", "click")]
    return json.dumps(both).encode()
