"""Spark Structured Streaming: Kafka in, folds in buckets, checkpoints that may be thrown away."""

from croupier.adapters.spark.checkpoint import Checkpoint
from croupier.adapters.spark.engine import Engine, QueryError, Sink, Source
from croupier.adapters.spark.java import java_options

__all__ = ["Checkpoint", "Engine", "QueryError", "Sink", "Source", "java_options"]
