"""What runs: one file or folder a process; apps meet only on the log."""
