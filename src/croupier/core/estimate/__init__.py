"""What the sums say: lifts, intervals, checks, and verdicts to be believed."""
