"""Spark Structured Streaming: Kafka in, folds in buckets, disposable checkpoints."""
