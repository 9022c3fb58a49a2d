"""The distributed runner: serve, join, observe and learn as processes that meet on the log."""
