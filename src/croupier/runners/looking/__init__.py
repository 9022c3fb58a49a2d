"""A look into the log beside a running ring, and decisions made once more."""
