"""What is true without a computer: records, folds, sums, policies. Pure."""
