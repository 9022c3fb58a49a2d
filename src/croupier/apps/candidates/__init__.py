"""candidates: a table of arms → changes of an experiment's arms."""
