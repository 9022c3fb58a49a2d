"""Spark as the command line names it: a session, checkpoints, a trigger."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from croupier.config.errors import ConfigError
from croupier.config.services import cluster_of
from croupier.core.duration import parse_duration
from croupier.ports import Positions

if TYPE_CHECKING:
    from croupier.adapters.spark.checkpoint import Checkpoint
    from croupier.adapters.spark.engine import Engine, Sink, Source

_NOW = "now"
_INLINE = {"ssl.certificate.location": "ssl.certificate.pem", "ssl.key.location": "ssl.key.pem"}
"""Kafka's Java client takes a certificate and its key from one file only, or as text."""


class SparkSettings(NamedTuple):
    """How Spark is used.

    `checkpoints` is a folder, or its address on Hadoop's file systems; `trigger` a duration, or
    "now": read what there is, then end. A batch reads at most `most` messages; each partition has
    `buckets`. `master` is None under spark-submit, `options` are Spark's own.
    """

    checkpoints: str
    trigger: str = "10s"
    most: int = 20_000
    buckets: int = 16
    master: str | None = None
    options: Mapping[str, str] = {}

    @property
    def every(self) -> str | None:
        """The trigger in Spark's words, None for "now"; ConfigError for a wrong one."""
        if self.trigger == _NOW:
            return None
        try:
            return f"{parse_duration(self.trigger)} milliseconds"
        except ValueError as error:
            raise ConfigError(f"trigger: {error}, or {_NOW}") from error


def open_engine(settings: SparkSettings) -> "Engine":
    """A Spark session; ConfigError when PySpark is missing."""
    try:
        from croupier.adapters.spark.engine import Engine  # noqa: PLC0415 - an extra

        return Engine(settings.master, settings.options)
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is missing: pip install 'croupier[spark]'") from error


def source_of(settings: SparkSettings, log: str, topic: str, starts: Positions) -> "Source":
    """A topic of the log that a kafka:// URL names, as Spark's connector reads it."""
    from croupier.adapters.spark.engine import Source  # noqa: PLC0415 - an extra
    from croupier.adapters.spark.java import java_options  # noqa: PLC0415 - an extra

    cluster = cluster_of(log)
    try:
        options = java_options(
            {
                _INLINE.get(key, key): Path(value).read_text() if key in _INLINE else value
                for key, value in cluster.options.items()
            }
        )
    except (ValueError, OSError) as error:
        raise ConfigError(f"log: {error}") from error
    return Source(cluster.servers, cluster.topic(topic), starts, settings.most, options)


def sink_of(settings: SparkSettings, checkpoint: "Checkpoint") -> "Sink":
    """Where a query keeps its progress now, and when it turns."""
    from croupier.adapters.spark.engine import Sink  # noqa: PLC0415 - an extra

    return Sink(checkpoint.current, settings.every)


def checkpoint_of(settings: SparkSettings, engine: "Engine", name: str) -> "Checkpoint":
    """Where the checkpoints of a query are, by a name that says how its state is laid out."""
    from croupier.adapters.spark.checkpoint import Checkpoint  # noqa: PLC0415 - an extra

    return Checkpoint(engine.session, f"{settings.checkpoints.rstrip('/')}/{name}")
