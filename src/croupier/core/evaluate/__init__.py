"""What another policy would have earned: estimators, intervals, refusals."""
