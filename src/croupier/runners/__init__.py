"""Who drives the apps: when and where things run."""
