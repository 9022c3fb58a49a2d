"""Arms that a table lists: where, and when to look."""
