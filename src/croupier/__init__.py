"""Croupier runs multi-armed bandits in production as one closed loop."""

__version__ = "0.1.0"
