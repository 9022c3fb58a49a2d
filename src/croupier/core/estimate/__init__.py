"""What the sums say: lifts, intervals, checks and verdicts that can be believed."""
