"""What is known of an arm: exact sums per period, and posteriors."""
