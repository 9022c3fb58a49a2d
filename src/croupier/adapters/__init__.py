"""Who provides what the ports ask for: one file or folder a technology."""
