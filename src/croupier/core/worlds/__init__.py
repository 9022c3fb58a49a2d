"""Simulated worlds with known truth: who comes, what they do, how it is reported."""
