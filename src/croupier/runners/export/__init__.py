"""Data out: what is known as tables for analysts, a file a UTC day."""
