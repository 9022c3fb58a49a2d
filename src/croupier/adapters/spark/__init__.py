"""Spark Structured Streaming: Kafka in, folds in buckets, checkpoints that may be thrown away."""
