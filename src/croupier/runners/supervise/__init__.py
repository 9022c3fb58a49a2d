"""Supervision: processes that are watched, and started again when they fail."""
