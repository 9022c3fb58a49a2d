"""The distributed runner: serve, join, observe and learn meet only on the log."""
