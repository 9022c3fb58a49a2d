"""What another policy would have earned on this log: estimators, intervals, refusals."""
