"""The Spark runner: the same folds in buckets, the same truth in the same stores."""
